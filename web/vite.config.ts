import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { brotliCompress } from 'node:zlib'
import { defineConfig, type Plugin } from 'vite'

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const server = 'http://127.0.0.1:8000'

/** Writes each script and style once more, an eighth smaller than by gzip; the server sends that to whoever takes it. */
const brotli: Plugin = {
  name: 'brotli',
  apply: 'build',
  async writeBundle({ dir = '' }, bundle) {
    const files = Object.values(bundle).filter(({ fileName }) => /\.(js|css)$/.test(fileName))
    const compress = promisify(brotliCompress)
    const write = async (name: string, content: string | Uint8Array): Promise<void> =>
      writeFile(join(dir, `${name}.br`), await compress(content))
    await Promise.all(
      files.map(file => write(file.fileName, file.type === 'chunk' ? file.code : file.source)),
    )
  },
}

export default defineConfig({
  plugins: [brotli],
  // The server serves hashed files under /assets and reads .vite/manifest.json to find the read page's script.
  build: {
    outDir: '../server/coscribe/web',
    emptyOutDir: true,
    manifest: true,
    target: 'es2022',
    // A browser that knows no preloads finds the files by their imports.
    modulePreload: { polyfill: false },
    rolldownOptions: {
      // Compressing takes two seconds and is meant to.
      checks: { pluginTimings: false },
      input: {
        index: at('index.html'),
        document: at('document.html'),
        recover: at('recover.html'),
        read: at('src/read.ts'),
      },
      output: {
        // Over HTTP/1.1 a browser fetches six files at a time, and each of a few bytes costs a round trip all the same.
        codeSplitting: {
          groups: [
            { name: 'light', test: /src\/(page\/(place|palette|time|initials)|preview\/patch)\.ts/ },
            {
              name: 'base',
              test: /preload-helper|signals-core|src\/(api|style|sync\/database|page\/(document\/known|self|settings|take-away|toasts)\.ts)/,
              minShareCount: 2,
            },
            { name: 'page', test: /preact|src\/page\/[^/]+\.tsx?/, minShareCount: 2 },
          ],
        },
      },
    },
  },
  resolve: { alias: { 'lib0/logging': at('src/sync/yjs-log.ts') } },
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
      '^/(sessions|frames|sse|poll)/': server,
    },
  },
})
