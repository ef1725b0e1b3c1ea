import { computed, signal } from '@preact/signals-core'
import type { Doc, Role } from '../../api'
import type { EditorHandle } from '../../editor/types'
import type { DocumentSession } from '../../sync/types'
import { download } from '../take-away'

/** What the document page is about. Set once each by open.ts, read by every part of the page. */
export const doc = signal<Doc | null>(null)
export const session = signal<DocumentSession | null>(null)
export const editor = signal<EditorHandle | null>(null)

/** Why nothing more can be written here. `missing` also stands for forbidden: the two must look alike. */
export type EndingKind =
  | 'missing'
  | 'removed'
  | 'trashed'
  | 'too-large'
  | 'replaced'
  | 'signed-out'
  | 'protocol'

export interface Ending {
  kind: EndingKind | 'unreachable' | 'failed'
  reason: string
}

export const ending = signal<Ending | null>(null)

const writers: readonly string[] = ['editor', 'owner']

export const role = computed<Role>(() => (session.value?.role.value ?? doc.value?.role ?? 'viewer') as Role)
export const mayWrite = computed(() => writers.includes(role.value) && ending.value === null)
export const mayRename = computed(() => mayWrite.value && doc.value !== null)
export const isOwner = computed(() => role.value === 'owner')

/** By hand the server knows it; otherwise the text in front of us knows it first. */
export const title = computed(() => {
  const known = doc.value
  if (known?.title_by_hand) return known.title
  return session.value?.synced.value && editor.value ? editor.value.title.value : (known?.title ?? '')
})

export const textNow = (): string => session.value?.text.toString() ?? ''

/** Hands the text as it stands here to the browser as a Markdown file. */
export const downloadText = (): void => download(textNow(), title.value)

/** The address that people share; the secret links are made in the share sheet. */
export const addressOf = (id: string): string => `${location.origin}/d/${id}`

/** Which sheet is open. */
export const sheet = signal<'share' | 'count' | 'keys' | 'connection' | null>(null)
