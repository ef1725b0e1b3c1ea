import { effect } from '@preact/signals'
import { api, type Doc, failureOf, RequestFailed, told, UNREACHABLE } from '../../api'
import { createEditor } from '../../editor/editor'
import { openDocument } from '../../sync'
import type { DocumentSession, Identity, Notice } from '../../sync/types'
import { me } from '../me'
import { colourAt } from '../palette'
import { view } from '../settings'
import { doc, type EndingKind, editor, ending, mayWrite, session } from './desk'
import { type Known, recall, remember } from './known'
import { hear } from './notices'

declare global {
  interface Window {
    /** The first request, sent by a script in the head of the page before this code was there. */
    coscribeFirst?: Promise<Response>
  }
}

/** A slow server must not hide a copy that this device has: after this long the local copy is shown. */
const PATIENCE_MS = 1_500

const firstAnswer = async (): Promise<Doc> => {
  const response = await window.coscribeFirst?.catch(() => undefined)
  if (!response) throw new RequestFailed(0, UNREACHABLE)
  if (!response.ok) throw await failureOf(response)
  return (await response.json()) as Doc
}

const learn = (fresh: Doc): void => {
  doc.value = fresh
  remember(fresh)
}

const endings: Record<number, EndingKind> = {
  4400: 'protocol',
  4401: 'signed-out',
  4403: 'removed',
  4404: 'missing',
  4409: 'replaced',
  4413: 'too-large',
}

const endWith = (opened: DocumentSession): void => {
  const { phase, code, reason, served } = opened.connection.value
  if (phase !== 'closed' || code === null || ending.value) return
  const kind = endings[code] ?? 'protocol'
  // 4404 on an open document means the trash; on a new connection it stands for lost access just as well.
  const trashed = kind === 'missing' && (served || Boolean(doc.peek()?.trashed_at))
  ending.value = { kind: trashed ? 'trashed' : kind, reason }
}

const identity = (): Identity | null => {
  const self = me.value
  if (!self) return null
  const { hex } = colourAt(self.colour)
  return { id: self.id, name: self.name, color: hex, colorLight: `${hex}33`, kind: self.kind }
}

const refetch = async (id: string): Promise<void> => {
  try {
    learn(await api.document(id))
  } catch (error) {
    // A lost connection is told by its own bar; the next notice or the next visit brings the facts.
    if (!(error instanceof RequestFailed)) throw error
  }
}

const hearAll = (opened: DocumentSession, notice: Notice): void => {
  if (notice.kind === 'document' || notice.kind === 'role') void refetch(opened.id)
  hear(notice)
}

const nonceOfPage = (): string =>
  document.querySelector<HTMLMetaElement>('meta[property=csp-nonce]')?.nonce ?? ''

/** What happened to the document while we were away is not told again: it is asked for with every new connection. */
const refetchOnReturn = (opened: DocumentSession): void => {
  let wasOpen = false
  effect(() => {
    const { phase } = opened.connection.value
    if (phase === 'open' && (wasOpen || !doc.peek())) void refetch(opened.id)
    wasOpen ||= phase === 'open'
  })
}

const mount = (opened: DocumentSession, parent: HTMLElement): void => {
  const made = createEditor({
    parent,
    session: opened,
    nonce: nonceOfPage(),
    readOnly: !mayWrite.value,
    placeholder: 'Type here. Start a line with # for a title.',
  })
  editor.value = made
  effect(() => made.setReadOnly(!mayWrite.value))
  if (mayWrite.value && !document.querySelector('dialog[open]')) made.focus()
}

const connect = (id: string, known: Known, parent: HTMLElement): DocumentSession => {
  const opened = openDocument(id, { role: known.role, generation: known.generation })
  session.value = opened
  opened.onNotice(notice => hearAll(opened, notice))
  effect(() => endWith(opened))
  refetchOnReturn(opened)
  effect(() => {
    const self = identity()
    if (self) opened.identify(self)
  })
  const stop = effect(() => {
    if (!opened.synced.value || editor.peek()) return
    // Outside of this effect: it must not follow what the editor reads while it is made.
    queueMicrotask(() => {
      stop()
      if (!ending.value) mount(opened, parent)
    })
  })
  return opened
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
  if (facts) connect(id, facts, parent)
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
  connect(made.id, made, parent)
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
