// npm's openid-client as the app: the whole flow, with a browser that is already signed in.
import * as oidc from "openid-client";

const said = JSON.parse(process.env.SAID);
const config = await oidc.discovery(
  new URL(said.site), said.client_id, said.secret ?? undefined,
  said.secret ? undefined : oidc.None(), { execute: [oidc.allowInsecureRequests] },
);
const verifier = oidc.randomPKCECodeVerifier();
const state = oidc.randomState(), nonce = oidc.randomNonce();
const start = oidc.buildAuthorizationUrl(config, {
  redirect_uri: said.redirect_uri, scope: said.scope, state, nonce,
  code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
});
const answer = await fetch(start, { redirect: "manual", headers: { cookie: said.cookie } });
if (answer.status !== 302) throw new Error(`${answer.status} ${await answer.text()}`);
const back = new URL(answer.headers.get("location"));
const tokens = await oidc.authorizationCodeGrant(config, back, {
  pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true,
});
const claims = tokens.claims();
const userinfo = await oidc.fetchUserInfo(config, tokens.access_token, claims.sub);
const told = { claims, userinfo, back: back.origin + back.pathname };
if (tokens.refresh_token) {
  const again = await oidc.refreshTokenGrant(config, tokens.refresh_token);
  told.refreshed = await oidc.fetchUserInfo(config, again.access_token, claims.sub);
  if (said.secret) told.introspected = await oidc.tokenIntrospection(config, again.access_token);
  told.reused = await oidc.refreshTokenGrant(config, tokens.refresh_token).catch((e) => e.error);
  told.after_reuse = await oidc.fetchUserInfo(config, again.access_token, claims.sub).catch((e) => e.status);
} else {
  await oidc.tokenRevocation(config, tokens.access_token);
  told.revoked = await oidc.fetchUserInfo(config, tokens.access_token, claims.sub).catch((e) => e.status);
}
told.logout = oidc.buildEndSessionUrl(config, {
  id_token_hint: tokens.id_token, post_logout_redirect_uri: said.after, state: "s1",
}).href;
console.log(JSON.stringify(told));
