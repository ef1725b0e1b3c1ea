import { forget } from './document/known'

/** From the first caret to the first key a person takes longer, and a slow phone needs a while to draw. */
const REST_MS = 500

/** The files that this page was made of, so that it opens again without the server. */
const filesOfPage = (): string[] =>
  performance
    .getEntriesByType('resource')
    .map(entry => new URL(entry.name))
    .filter(({ origin, pathname }) => origin === location.origin && pathname.startsWith('/assets/'))
    .map(({ pathname }) => pathname)

/** The page has what it needs, and nobody waits for it. */
const loaded = (): Promise<unknown> => new Promise(resolve => addEventListener('load', resolve))

/**
 * Lets the service worker keep this page's files, so that a reload while offline still shows documents that this device
 * has. It waits until the page is at rest: it must not delay the first caret. `parts` are loaded then, so that they are
 * there when the server is not.
 */
export const keepForOffline = async (
  parts: readonly (() => Promise<unknown>)[] = [],
  shown: Promise<unknown> = loaded(),
): Promise<void> => {
  if (import.meta.env.DEV) return
  await shown
  await new Promise(resolve => setTimeout(resolve, REST_MS))
  // Over plain HTTP too, which knows no workers: a part that first fails to load stays away in some browsers.
  const loading = Promise.all(parts.map(load => load())).catch(() => [])
  if (!('serviceWorker' in navigator)) return
  try {
    await navigator.serviceWorker.register('/sw.js')
    await loading
    const { active } = await navigator.serviceWorker.ready
    active?.postMessage({ files: filesOfPage(), page: location.pathname })
  } catch (refused) {
    console.warn('This browser opens no pages offline.', refused)
  }
  await tidy()
}

/** Lets saved copies go that nobody opened for long. Where the browser offers no database there are none. */
const tidy = async (): Promise<void> => {
  const gone = await import('../sync/kept').then(({ ageOut }) => ageOut()).catch(() => [])
  gone.forEach(forget)
}
