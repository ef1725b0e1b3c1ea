// Ties the page to one session of its document, and to a new one when the replica has to be made anew.
import { computed, effect } from '@preact/signals-core'
import { api, type Doc, RequestFailed } from '../../api'
import { createEditor } from '../../editor/editor'
import { openDocument } from '../../sync'
import type { DocumentSession, Identity, Notice, OpenOptions } from '../../sync/types'
import { colourAt } from '../palette'
import { me } from '../self'
import { doc, type EndingKind, editor, ending, mayWrite, session } from './desk'
import { type Known, remember } from './known'
import { rebuild, renewBy } from './renewal'
import { hear } from './standing'

export const learn = (fresh: Doc): void => {
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

/** Endings after which what is on this device will not reach the document by itself. */
const lasting = ['missing', 'removed', 'trashed', 'replaced', 'too-large'] as const

const explain = (opened: DocumentSession): void => {
  const end = ending.value
  const kind = lasting.find(each => each === end?.kind)
  if (end && kind) opened.explain({ kind, reason: end.reason })
}

const identity = (): Identity | null => {
  const self = me.value
  if (!self) return null
  const { hex } = colourAt(self.colour)
  return { id: self.id, name: self.name, color: hex, colorLight: `${hex}33`, kind: self.kind }
}

const refetch = async (id: string): Promise<void> => {
  try {
    const fresh = await api.document(id)
    learn(fresh)
    session.peek()?.learnRole(fresh.role)
  } catch (error) {
    // A lost connection is told by its own bar; the next notice or the next visit brings the facts.
    if (!(error instanceof RequestFailed)) throw error
  }
}

/** A text that differs once more after it was made anew would differ for ever. */
let mended = false

const hearAll = (opened: DocumentSession, notice: Notice): void => {
  const { kind, reason } = notice
  if (kind === 'document' || kind === 'role') void refetch(opened.id)
  if (kind === 'fork') rebuild(true, { kind, reason })
  else if (kind === 'differs' && !mended) {
    mended = true
    rebuild(false, { kind, reason })
  }
  hear(notice)
}

const nonceOfPage = (): string =>
  document.querySelector<HTMLMetaElement>('meta[property=csp-nonce]')?.nonce ?? ''

/** What happened to the document while we were away is not told again: it is asked for with every new connection. */
const refetchOnReturn = (opened: DocumentSession): (() => void) => {
  const isOpen = computed(() => opened.connection.value.phase === 'open')
  let wasOpen = false
  return effect(() => {
    if (isOpen.value && (wasOpen || !doc.peek())) void refetch(opened.id)
    wasOpen ||= isOpen.value
  })
}

const mount = (opened: DocumentSession, parent: HTMLElement): (() => void) => {
  const made = createEditor({
    parent,
    session: opened,
    nonce: nonceOfPage(),
    readOnly: !mayWrite.value,
    placeholder: 'Type here. Start a line with # for a title.',
  })
  editor.value = made
  const stop = effect(() => made.setReadOnly(!mayWrite.value))
  if (mayWrite.value && !document.querySelector('dialog[open]')) made.focus()
  return () => {
    stop()
    editor.value = null
    made.destroy()
  }
}

/** Mounts the editor as soon as there is a text; gives how to take it away. */
const mountWhenSynced = (opened: DocumentSession, parent: HTMLElement): (() => void) => {
  let unmount = (): void => {}
  let isOver = false
  const stop = effect(() => {
    if (!opened.synced.value || editor.peek()) return
    // Outside of this effect: it must not follow what the editor reads while it is made.
    queueMicrotask(() => {
      stop()
      if (!ending.value && !isOver) unmount = mount(opened, parent)
    })
  })
  return () => {
    isOver = true
    stop()
    unmount()
  }
}

/** Opens a session of a document and ties the page to it. */
export const connect = (
  id: string,
  known: Known,
  parent: HTMLElement,
  how: Pick<OpenOptions, 'carried' | 'fresh'> = {},
): void => {
  const { role, generation } = known
  const opened = openDocument(id, { role, generation, ...how })
  session.value = opened
  const stops = [
    opened.onNotice(notice => hearAll(opened, notice)),
    effect(() => endWith(opened)),
    effect(() => explain(opened)),
    refetchOnReturn(opened),
    effect(() => {
      const self = identity()
      if (self) opened.identify(self)
    }),
    mountWhenSynced(opened, parent),
  ]
  renewBy((reapply, why) => {
    const carry = opened.carry(reapply, why)
    for (const stop of stops) stop()
    session.value = null
    opened.destroy()
    connect(id, { ...known, role: opened.role.peek() as Known['role'] }, parent, { carried: carry })
  })
}
