// What this browser has found out about the network it is in, and for how long that counts.

/** Requests were needed, since no WebSocket got through. */
export const REQUESTS = 'requests-until'
/** Polls were, since streams were kept back. */
export const POLLS = 'polls-until'

export function remembers(what: string): boolean {
  try {
    return Number(localStorage.getItem(`coscribe.${what}`)) > Date.now()
  } catch {
    return false // this browser keeps nothing for this page
  }
}

export function remember(what: string, forMs: number): void {
  try {
    localStorage.setItem(`coscribe.${what}`, String(Date.now() + forMs))
  } catch {
    // as above
  }
}

export function forget(what: string): void {
  try {
    localStorage.removeItem(`coscribe.${what}`)
  } catch {
    // as above
  }
}
