import { type Doc, failureOf, RequestFailed, told, UNREACHABLE } from '../../api'
import { view } from '../settings'
import { ending } from './desk'
import { recall } from './known'
import { connect, learn } from './tie'

declare global {
  interface Window {
    /** The answer to the first request, sent by a script in the head of the page before this code was there. */
    coscribeFirst?: Promise<{ response: Response; made?: Doc }>
  }
}

/** A slow server must not hide a copy that this device has: after this long the local copy is shown. */
const PATIENCE_MS = 1_500

const firstAnswer = async (): Promise<Doc> => {
  const first = await window.coscribeFirst?.catch(() => undefined)
  if (!first) throw new RequestFailed(0, UNREACHABLE)
  if (!first.made) throw await failureOf(first.response)
  return first.made
}

const isGone = (error: unknown): boolean =>
  error instanceof RequestFailed && [401, 403, 404, 410].includes(error.status)

const fail = (error: unknown): void => {
  const status = error instanceof RequestFailed ? error.status : null
  const kind = status === 0 ? 'unreachable' : isGone(error) ? 'missing' : 'failed'
  ending.value = { kind, reason: told(error) }
}

const late = (ms: number): Promise<null> => new Promise(resolve => setTimeout(() => resolve(null), ms))

/** What a document is taken for until the server is heard: only documents that this device has seen are known. */
const openKnown = async (id: string, parent: HTMLElement): Promise<void> => {
  const answer = firstAnswer()
  const known = recall(id)
  const quick = known ? await Promise.race([answer.catch(() => null), late(PATIENCE_MS)]) : await answer
  if (quick) learn(quick)
  const facts = quick ?? known
  if (facts) connect(id, facts, parent, { fresh: !known })
  if (quick) return
  try {
    learn(await answer)
  } catch (error) {
    // A server that has troubles now closes no text that is open from this device: its connection keeps trying.
    if (!(error instanceof RequestFailed) || isGone(error)) fail(error)
  }
}

const openNew = async (parent: HTMLElement): Promise<void> => {
  const made = await firstAnswer()
  history.replaceState(null, '', `/d/${made.id}`)
  // There is nothing to read yet; what this browser prefers stays for the next document.
  if (view.peek() === 'read') view.value = 'edit'
  learn(made)
  connect(made.id, made, parent, { fresh: true })
}

/** Opens what the address names into `parent`; what goes wrong ends up in `ending`. */
export const open = async (parent: HTMLElement): Promise<void> => {
  try {
    if (location.pathname === '/new') await openNew(parent)
    else await openKnown(decodeURIComponent(location.pathname.slice('/d/'.length)), parent)
  } catch (error) {
    fail(error)
  }
}
