import { forget } from './document/known'

/** The files that this page was made of, so that it opens again without the server. */
const filesOfPage = (): string[] =>
  performance
    .getEntriesByType('resource')
    .map(entry => new URL(entry.name))
    .filter(({ origin, pathname }) => origin === location.origin && pathname.startsWith('/assets/'))
    .map(({ pathname }) => pathname)

/**
 * Lets the service worker keep this page's files, so that a reload while offline still shows documents that this device
 * has. Registered when the page is at rest: it must not delay the first caret. `parts` are loaded then, so that they are
 * there when the server is not.
 */
export const keepForOffline = (...parts: (() => Promise<unknown>)[]): void => {
  if (!('serviceWorker' in navigator) || import.meta.env.DEV) return
  addEventListener('load', async () => {
    try {
      await navigator.serviceWorker.register('/sw.js')
      await Promise.all(parts.map(load => load()))
      const { active } = await navigator.serviceWorker.ready
      active?.postMessage({ files: filesOfPage(), page: location.pathname })
    } catch (refused) {
      console.warn('This browser opens no pages offline.', refused)
    }
    await tidy()
  })
}

/** Lets saved copies go that nobody opened for long. Where the browser offers no database there are none. */
const tidy = async (): Promise<void> => {
  const gone = await import('../sync/kept').then(({ ageOut }) => ageOut()).catch(() => [])
  gone.forEach(forget)
}
