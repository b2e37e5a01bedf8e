// npm's samlp as the school's own SAML sign-in: it answers for whoever `?as=` of its cookie names.
import http from "node:http";
import { readFileSync } from "node:fs";
import samlp from "samlp";

const said = JSON.parse(process.env.SAID);
const key = readFileSync(said.key, "ascii"), cert = readFileSync(said.cert, "ascii");
const issuer = `http://localhost:${said.port}/idp`;
const people = (name) => ({
  id: `${name}-77`, displayName: name, name: { givenName: name, familyName: "T" },
  emails: [{ value: `${name}@puddlebrook.example` }], username: `${name}.${name}`,
});
const base = {
  issuer, cert, key, getPostURL: (audience, dom, req, done) => done(null, said.back), audience: said.entity,
  destination: said.back, recipient: said.back, lifetimeInSeconds: 300,
  getUserFromRequest: (req) => people(req.query.as ?? "ben"),
  signingCert: said.sp,
};
const sso = samlp.auth({ ...base });
const both = samlp.auth({ ...base, signResponse: true });
const unsigned = samlp.auth({ ...base, signAssertion: false, signResponse: true });
const metadata = samlp.metadata({ issuer, cert, redirectEndpointPath: "/sso", postEndpointPath: "/sso" });

http.createServer((req, res) => {
  const url = new URL(req.url, issuer);
  req.query = Object.fromEntries(url.searchParams);
  req.originalUrl = req.url, req.protocol = "http", req.get = (name) => req.headers[name.toLowerCase()];
  req.headers.host = `localhost:${said.port}`;
  res.set = (name, value) => res.setHeader(name, value);
  res.send = (body) => res.end(typeof body === "number" ? String(body) : body);
  const next = (error) => { res.statusCode = 500; res.end(String(error)); };
  if (url.pathname === "/metadata") return metadata(req, res);
  ({ both, unsigned }[req.headers["x-way"]] ?? sso)(req, res, next);
}).listen(said.port, "127.0.0.1", () => console.log("ready"));
