// A real OpenID Connect provider (npm's oidc-provider) for tests, with the paths that sites of ours have.
// Its one argument is JSON: {issuer, port, format: "jwt" | "opaque", keys: [JWK], accounts: {name: claims}, lifetime}.
import { Provider } from 'oidc-provider';

const { issuer, port, format, keys, accounts, lifetime } = JSON.parse(process.argv[2]);
const AUDIENCE = 'https://prominence.example.org';

const resource = {
  enabled: format === 'jwt',
  defaultResource: () => AUDIENCE,
  useGrantedResource: () => true,
  getResourceServerInfo: () => ({
    scope: 'openid profile email offline_access',
    audience: AUDIENCE,
    accessTokenFormat: 'jwt',
    accessTokenTTL: lifetime,
    jwt: { sign: { alg: keys[0].alg } },
  }),
};

const provider = new Provider(issuer, {
  clients: [{
    client_id: 'prominence-cli',
    client_secret: 'known to every copy of the command',
    grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
    redirect_uris: [],
    response_types: [],
    scope: 'openid profile email offline_access',
  }],
  jwks: { keys },
  scopes: ['openid', 'offline_access', 'profile', 'email'],
  claims: { openid: ['sub'], profile: ['preferred_username', 'groups', 'edu_person_entitlements'], email: ['email', 'email_verified'] },
  findAccount: (_, name) => accounts[name] && { accountId: name, claims: () => ({ sub: name, ...accounts[name] }) },
  extraTokenClaims: (_, token) => (token.accountId ? accounts[token.accountId] : undefined),
  features: {
    deviceFlow: { enabled: true },
    devInteractions: { enabled: true },
    registration: { enabled: true, initialAccessToken: false },
    revocation: { enabled: true },
    resourceIndicators: resource,
    userinfo: { enabled: true },
  },
  issueRefreshToken: async (_, client, code) => client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access'),
  rotateRefreshToken: true,
  ttl: { AccessToken: lifetime, DeviceCode: 600, RefreshToken: 3600, Grant: 3600, Session: 3600, Interaction: 600, IdToken: 600 },
  cookies: { keys: ['for tests'] },
  routes: {
    authorization: '/authorize', token: '/token', device_authorization: '/devicecode', code_verification: '/device',
    revocation: '/revoke', userinfo: '/userinfo', jwks: '/jwk', registration: '/register',
  },
});
provider.listen(port, '127.0.0.1', () => console.log('listening'));
