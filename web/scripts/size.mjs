// The size gate: gzip bytes of what each page loads first, read from the build's manifest. Exits with 1 above a limit.
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

const out = new URL('../../server/coscribe/web/', import.meta.url)
const manifest = JSON.parse(readFileSync(new URL('.vite/manifest.json', out), 'utf8'))

// KB of 1,000 bytes. The read page must stay a light article, the editor must start in 1.5 s at 1.6 Mbps.
const limits = [
  { entry: 'document.html', script: 165, style: 12 },
  { entry: 'index.html', script: 60, style: 12 },
  { entry: 'recover.html', script: 60, style: 12 },
  { entry: 'src/read.ts', script: 25, style: 12 },
]
const lazyLimit = 60

const gzip = file => gzipSync(readFileSync(new URL(file, out)), { level: 9 }).length / 1000

function staticChunks(key, seen = new Set()) {
  if (seen.has(key)) return seen
  seen.add(key)
  for (const next of manifest[key].imports ?? []) staticChunks(next, seen)
  return seen
}

let failed = false
function report(name, size, limit) {
  const over = size > limit
  failed ||= over
  process.stdout.write(`${over ? 'OVER' : 'ok  '} ${size.toFixed(1).padStart(7)} / ${limit} KB gz  ${name}\n`)
}

const first = new Set()
for (const { entry, script, style } of limits) {
  const chunks = [...staticChunks(entry)]
  for (const chunk of chunks) first.add(chunk)
  const scripts = chunks.map(key => manifest[key].file).filter(file => file.endsWith('.js'))
  const styles = new Set(chunks.flatMap(key => manifest[key].css ?? []))
  report(
    `${entry} script`,
    scripts.reduce((sum, file) => sum + gzip(file), 0),
    script,
  )
  report(
    `${entry} style`,
    [...styles].reduce((sum, file) => sum + gzip(file), 0),
    style,
  )
}
for (const [key, chunk] of Object.entries(manifest)) {
  if (first.has(key) || !chunk.file.endsWith('.js')) continue
  report(`${key} (lazy)`, gzip(chunk.file), lazyLimit)
}
// A worker's script stands among the assets of whoever starts it.
const workers = new Set(Object.values(manifest).flatMap(({ assets = [] }) => assets))
for (const file of workers) if (file.endsWith('.js')) report(`${file} (worker)`, gzip(file), lazyLimit)
process.exit(failed ? 1 : 0)
