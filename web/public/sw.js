/* Opens the pages without the server: their HTML is asked for first and kept as a second choice, hashed files are kept for
   good. The API is never kept, nor are read pages: they can be revoked. */

const KEPT = 'coscribe-1'
/** A page that has not answered by then is shown from the copy; a slow answer still renews it. */
const PATIENCE_MS = 3_000
/** A build has about 20 files; two builds side by side fit. */
const MOST_FILES = 60
const DOCUMENT_PAGE = '/d/'
const HOME_PAGE = '/'
/** What is not on the server must be seen without the server. */
const RECOVER_PAGE = '/recover'

/** The key under which a page is kept, null for pages that are not. Every document has the same page. */
const pageKey = path => {
  if (path.startsWith('/d/') || path === '/new') return DOCUMENT_PAGE
  if (path === '/recover') return RECOVER_PAGE
  return path === '/' || path === '/trash' ? HOME_PAGE : null
}

const keep = async (key, response) => {
  const cache = await caches.open(KEPT)
  await cache.put(key, response)
}

const page = async (event, key) => {
  const kept = caches.match(key)
  const asked = fetch(event.request)
  event.waitUntil(
    asked.then(
      response => (response.ok ? keep(key, response.clone()) : undefined),
      () => undefined,
    ),
  )
  const late = new Promise(resolve => setTimeout(resolve, PATIENCE_MS, null))
  const first = await Promise.race([asked.catch(() => null), late])
  // A proxy whose server is away answers too; the page itself knows how to wait for it.
  return first && first.status < 500 ? first : ((await kept) ?? asked)
}

const file = async request => {
  const kept = await caches.match(request)
  if (kept) return kept
  const response = await fetch(request)
  if (response.ok) await keep(request, response.clone())
  return response
}

/** The page that brought this worker was not asked for through it: it is asked for once more. */
const keepPage = async path => {
  const key = pageKey(path)
  if (!key || (await caches.match(key))) return
  const response = await fetch(path)
  if (response.ok) await keep(key, response)
}

/** Takes the files that a page names; what was kept first, by earlier builds, goes first. */
const keepFiles = async paths => {
  const cache = await caches.open(KEPT)
  const missing = []
  for (const path of paths) if (!(await cache.match(path))) missing.push(path)
  await cache.addAll(missing)
  const files = (await cache.keys()).filter(({ url }) => new URL(url).pathname.startsWith('/assets/'))
  for (const old of files.slice(0, Math.max(0, files.length - MOST_FILES))) await cache.delete(old)
}

/** Takes the page of what is not saved with all its files; again when it names files of a new build. */
const keepRecovery = async () => {
  const kept = await caches.match(RECOVER_PAGE)
  if (kept && (await Promise.all(filesIn(await kept.text()).map(name => caches.match(name)))).every(Boolean)) return
  const response = await fetch(RECOVER_PAGE)
  if (!response.ok) return
  await keepFiles(filesIn(await response.clone().text()))
  await keep(RECOVER_PAGE, response)
}

const filesIn = html => html.match(/\/assets\/[^"]+/g) ?? []

/* What goes to the server and back at once. A page that goes away sends its last words by such a request, which would be
   lost if it first had to wait for this worker. */
const DIRECT = ['/frames/*', '/sessions/*', '/sse/*', '/poll/*']

addEventListener('install', event => {
  const routes = DIRECT.map(urlPattern => ({ condition: { urlPattern }, source: 'network' }))
  // Not all browsers know routes; there the worker is asked, and has nothing to say.
  event.addRoutes?.(routes).catch(() => {})
  skipWaiting()
})

addEventListener('activate', event => {
  event.waitUntil(clients.claim())
})

addEventListener('message', event => {
  const { files, page: path } = event.data
  event.waitUntil(Promise.all([keepFiles(files), keepPage(path), keepRecovery()]))
})

addEventListener('fetch', event => {
  const { method, mode, url } = event.request
  const { origin, pathname } = new URL(url)
  if (method !== 'GET' || origin !== location.origin) return
  const key = mode === 'navigate' ? pageKey(pathname) : null
  if (key) event.respondWith(page(event, key))
  else if (pathname.startsWith('/assets/')) event.respondWith(file(event.request))
})
