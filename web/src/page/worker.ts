/** The files that this page was made of, so that it opens again without the server. */
const filesOfPage = (): string[] =>
  performance
    .getEntriesByType('resource')
    .map(entry => new URL(entry.name))
    .filter(({ origin, pathname }) => origin === location.origin && pathname.startsWith('/assets/'))
    .map(({ pathname }) => pathname)

/**
 * Lets the service worker keep this page's files, so that a reload while offline still shows documents that this device
 * has. Registered when the page is at rest: it must not delay the first caret.
 */
export const keepForOffline = (): void => {
  if (!('serviceWorker' in navigator) || import.meta.env.DEV) return
  addEventListener('load', async () => {
    try {
      await navigator.serviceWorker.register('/sw.js')
      const { active } = await navigator.serviceWorker.ready
      active?.postMessage({ files: filesOfPage(), page: location.pathname })
    } catch (refused) {
      console.warn('This browser opens no pages offline.', refused)
    }
  })
}
