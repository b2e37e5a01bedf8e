// npm's oidc-provider as the school's own sign-in: signs in whoever names themselves, as its development pages do.
import Provider from "oidc-provider";

const said = JSON.parse(process.env.SAID);
const issuer = `http://localhost:${said.port}`;
const provider = new Provider(issuer, {
  clients: [{
    client_id: "rollbook", client_secret: said.secret, redirect_uris: [said.back], grant_types: ["authorization_code"],
    response_types: ["code"],
  }],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["preferred_username"] },
  findAccount: async (_, id) => ({
    accountId: id,
    claims: async () => ({ sub: id, email: `${id}@puddlebrook.example`, email_verified: true, preferred_username: `${id}.${id}` }),
  }),
});
provider.listen(said.port, "127.0.0.1", () => console.log("ready"));
