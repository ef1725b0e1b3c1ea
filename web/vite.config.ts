import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const server = 'http://127.0.0.1:8000'

export default defineConfig({
  // The server serves hashed files under /assets and reads .vite/manifest.json to find the read page's script.
  build: {
    outDir: '../server/coscribe/web',
    emptyOutDir: true,
    manifest: true,
    target: 'es2022',
    rolldownOptions: {
      input: {
        index: at('index.html'),
        document: at('document.html'),
        recover: at('recover.html'),
        read: at('src/read.ts'),
      },
    },
  },
  // Replaced by the server with a fresh nonce in every response.
  html: { cspNonce: '__CSP_NONCE__' },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  server: {
    host: '127.0.0.1',
    proxy: {
      '/api': server,
      '/health': server,
      '/openapi.json': server,
      '/r/': server,
      '/s/': server,
      '/ws/': { target: server, ws: true },
    },
  },
})
