// What an answer says that is none: to the codes that a WebSocket would have been closed with.
import { BROKEN } from './carrier'

const TRY_LATER = 1013
const LONGEST_AFTER_MS = 30_000

/** Words of the server itself. Firewalls and proxies refuse with the same numbers, and theirs end nothing for good. */
const CODES: Record<number, number> = { 401: 4401, 404: 4404, 409: 4404, 429: TRY_LATER, 503: TRY_LATER }

export interface Refusal {
  code: number
  reason: string
  /** The server asks to stay away for so long. */
  afterMs: number
}

export const isProblem = (answer: Response): boolean =>
  answer.headers.get('Content-Type')?.startsWith('application/problem+json') === true

/** Of the server or of a proxy before it; the same may be taken later. */
export const passes = (status: number): boolean => status >= 500 || status === 429 || status === 408

export function afterMsOf(answer: Response): number {
  const seconds = Number(answer.headers.get('Retry-After')) || 0
  return Math.min(Math.max(seconds, 0) * 1000, LONGEST_AFTER_MS)
}

/** Why a session was not begun. */
export async function refusalOf(answer: Response | null): Promise<Refusal> {
  if (!answer) return { code: BROKEN, reason: 'The server does not answer', afterMs: 0 }
  const afterMs = afterMsOf(answer)
  if (!isProblem(answer))
    return { code: BROKEN, reason: `Something on the way answers ${answer.status}`, afterMs }
  const problem = (await answer.json().catch(() => null)) as { detail?: string } | null
  return { code: CODES[answer.status] ?? BROKEN, reason: problem?.detail ?? '', afterMs }
}
