// npm's @node-saml/node-saml as the app: by redirect and by POST, and what it refuses of a broken answer.
import { SAML } from "@node-saml/node-saml";

const said = JSON.parse(process.env.SAID);
const metadata = await (await fetch(said.metadata)).text();
const cert = metadata.match(/X509Certificate>([^<]+)</)[1].replace(/\s/g, "");
const settings = {
  callbackUrl: said.acs, entryPoint: said.sso, issuer: said.entity, audience: said.entity, idpCert: cert,
  wantAssertionsSigned: true, wantAuthnResponseSigned: false, identifierFormat: null, disableRequestedAuthnContext: true,
  validateInResponseTo: "always",
};
const app = new SAML(settings), poster = new SAML({ ...settings, authnRequestBinding: "HTTP-POST" });
const forgetful = new SAML({ ...settings, validateInResponseTo: "never" });

async function answer(response) {
  const page = await response.text();
  const field = page.match(/name="SAMLResponse" value="([^"]+)"/);
  if (!field) throw new Error(`${response.status} ${page.slice(0, 3000)}`);
  return field[1];
}
async function accept(text, by = app) {
  const { profile } = await by.validatePostResponseAsync({ SAMLResponse: text });
  const { nameID, nameIDFormat, ...rest } = profile;
  return { nameID, nameIDFormat, attributes: rest.attributes };
}

const headers = { cookie: said.cookie };
const redirected = await answer(await fetch(await app.getAuthorizeUrlAsync("r1", undefined, {}), { headers }));
const told = { redirect: await accept(redirected) };
told.replayed = await accept(redirected).then(() => "accepted", () => "refused");

const message = await poster.getAuthorizeMessageAsync("r2");
// The browser comes from the app's page: the post carries no cookie, what follows does.
const posted = await fetch(said.sso, { method: "POST", body: new URLSearchParams(message), redirect: "manual" });
const next = new URL(posted.headers.get("location"), said.sso);
const good = await answer(await fetch(next, { headers }));
const xml = Buffer.from(good, "base64").toString();
const forged = Buffer.from(xml.replace(/>Ben</g, ">Ada<")).toString("base64");
told.forged = await accept(forged, forgetful).then(() => "accepted", () => "refused");
told.again = await accept(good, forgetful).then(() => "accepted", () => "refused");
told.post = await accept(good, poster);
console.log(JSON.stringify(told));
