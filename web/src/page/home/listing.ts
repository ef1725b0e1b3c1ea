import { signal } from '@preact/signals'
import { api, type Doc, told } from '../../api'

/** The documents on the home page: what was asked for last wins, however late earlier answers come. */
export type Phase = 'loading' | 'ready' | 'failed'

export const phase = signal<Phase>('loading')
export const problem = signal('')
export const items = signal<readonly Doc[]>([])
export const next = signal<string | null>(null)
export const search = signal('')
export const trashed = signal(location.pathname === '/trash')

/** The server takes a title from the text a second after the last change: whoever comes straight from writing is early. */
const TITLE_AFTER_MS = 1_500
const FRESH_MS = 5_000

const awaitsTitle = (doc: Doc): boolean => !doc.title && Date.now() - Date.parse(doc.updated_at) < FRESH_MS

let asked = 0

const ask = async (cursor: string | null): Promise<void> => {
  asked += 1
  const mine = asked
  try {
    const listing = await api.documents({
      q: search.value,
      trashed: trashed.value,
      ...(cursor ? { cursor } : {}),
    })
    if (mine !== asked) return
    items.value = cursor ? [...items.value, ...listing.items] : listing.items
    next.value = listing.next
    phase.value = 'ready'
    if (!cursor && listing.items.some(awaitsTitle))
      setTimeout(() => mine === asked && refresh(), TITLE_AFTER_MS)
  } catch (error) {
    if (mine !== asked) return
    problem.value = told(error)
    phase.value = 'failed'
  }
}

export const refresh = (): Promise<void> => ask(null)

export const more = (): Promise<void> => ask(next.value)

/** Searching waits for a pause in the typing: 200 ms is shorter than a person notices and longer than a fast typist's gap. */
const PAUSE_MS = 200
let pause: ReturnType<typeof setTimeout> | undefined

export const searchFor = (text: string): void => {
  search.value = text.trim()
  clearTimeout(pause)
  pause = setTimeout(refresh, PAUSE_MS)
}

/** Goes between the documents and the trash without leaving the page. */
export const show = (trash: boolean, push: boolean): void => {
  if (push) history.pushState(null, '', trash ? '/trash' : '/')
  trashed.value = trash
  search.value = ''
  items.value = []
  next.value = null
  phase.value = 'loading'
  document.title = trash ? 'Trash - Coscribe' : 'Coscribe'
  void refresh()
}

/** Takes a document off the list at once; the list is asked for again if the server refuses. */
export const without = (id: string): void => {
  items.value = items.value.filter(doc => doc.id !== id)
}
