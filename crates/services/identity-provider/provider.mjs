// An OpenID Connect provider for tests: node-oidc-provider with the people and the clients that a file of JSON names.
// Whoever is known signs in by their name and any password, and is not asked for consent.
import { readFileSync } from "node:fs";

const [packages, settings] = process.argv.slice(2);
const { default: Provider } = await import(`${packages}/node_modules/oidc-provider/lib/index.js`);
const { issuer, port, clients, people } = JSON.parse(readFileSync(settings, "utf8"));

const provider = new Provider(issuer, {
  clients,
  scopes: ["openid", "profile", "email", "groups"],
  claims: {
    openid: ["sub"],
    profile: ["name", "preferred_username"],
    email: ["email", "email_verified"],
    groups: ["groups"],
  },
  // Claims stand in the ID token, as most providers have it.
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  cookies: { keys: ["not a secret: for tests"] },
  features: {
    devInteractions: { enabled: true },
    rpInitiatedLogout: {
      enabled: true,
      // Its own pages ask for fonts from the web.
      logoutSource(context, form) {
        context.body = `<!DOCTYPE html><title>Sign out</title>${form}
          <button type="submit" form="op.logoutForm" name="logout" value="yes">Yes, sign me out</button>`;
      },
    },
  },
  ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 3600, IdToken: 3600, Interaction: 600, Session: 3600 },
  findAccount: (_, id) => people[id] && { accountId: id, claims: () => ({ sub: id, ...people[id] }) },
  async loadExistingGrant(context) {
    const { client, session, params } = context.oidc;
    const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope(params.scope);
    await grant.save();
    return grant;
  },
});
provider.listen(port, "127.0.0.1");
