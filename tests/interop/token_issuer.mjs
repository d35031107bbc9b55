// An issuer of tokens: oidc-provider behind TLS. `POST /rotate` replaces its keys; killed and started anew it has those
// of the seed in its arguments.
// node token_issuer.mjs CERTIFICATE KEY PORT
import { generateKeyPairSync } from 'node:crypto';
import fs from 'node:fs';
import https from 'node:https';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

// NODE_PATH is for `require` alone.
const require = createRequire(import.meta.url);
const { default: Provider } = await import(pathToFileURL(require.resolve('oidc-provider')));

const [certificate, key, port] = process.argv.slice(2);
const issuer = `https://localhost:${port}`;
let generation = 0;

function signingKey() {
  generation += 1;
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...privateKey.export({ format: 'jwk' }), kid: `key-${generation}-${process.pid}`, use: 'sig', alg: 'ES256' };
}

function client(id) {
  return {
    client_id: id,
    client_secret: `secret-of-${id}`,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    id_token_signed_response_alg: 'ES256',
    token_endpoint_auth_method: 'client_secret_basic',
  };
}

function provider() {
  return new Provider(issuer, {
    jwks: { keys: [signingKey()] },
    clients: ['billing', 'robot', 'short'].map(client),
    extraTokenClaims: (ctx, token) => ({ groups: token.clientId === 'robot' ? ['robots'] : [] }),
    ttl: { ClientCredentials: (ctx, token, who) => (who.clientId === 'short' ? 1 : 600) },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => 'urn:kafka',
        getResourceServerInfo: (ctx, resource) => ({
          scope: 'kafka',
          audience: resource.replace('urn:', ''),
          accessTokenFormat: 'jwt',
          accessTokenTTL: undefined,
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
  });
}

let callback = provider().callback();
https
  .createServer({ cert: fs.readFileSync(certificate), key: fs.readFileSync(key) }, (request, response) => {
    if (request.url === '/rotate') {
      callback = provider().callback();
      response.end('rotated');
    } else {
      callback(request, response);
    }
  })
  .listen(port, '127.0.0.1', () => console.log('listening'));
