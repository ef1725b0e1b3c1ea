import { api, type Doc, told } from '../../api'
import { removeSavedCopy } from '../../sync/database'
import { say } from '../toasts'
import { takeWord } from '../trashed'
import { items, refresh, without } from './listing'

export const nameOf = (doc: Pick<Doc, 'title'>): string => doc.title || 'Untitled'

const attempt = async (run: () => Promise<unknown>): Promise<boolean> => {
  try {
    await run()
    return true
  } catch (error) {
    say(told(error))
    await refresh()
    return false
  }
}

export const restore = async (doc: Doc): Promise<void> => {
  without(doc.id)
  if (!(await attempt(() => api.restore(doc.id)))) return
  say(`“${nameOf(doc)}” is restored`)
  await refresh()
}

const undoTrash = async (doc: Pick<Doc, 'id'>): Promise<void> => {
  if (await attempt(() => api.restore(doc.id))) await refresh()
}

export const moveToTrash = async (doc: Doc): Promise<void> => {
  without(doc.id)
  if (await attempt(() => api.trash(doc.id))) {
    say('Moved to trash.', { label: 'Undo', run: () => void undoTrash(doc) })
  }
}

/** A document page that trashed its document sends people here; the undo comes along. */
export const offerUndo = (): void => {
  const trashed = takeWord()
  if (!trashed) return
  say('Moved to trash.', { label: 'Undo', run: () => void undoTrash(trashed) })
}

export const deleteForever = async (doc: Doc): Promise<void> => {
  const before = items.value
  without(doc.id)
  if (await attempt(() => api.purge(doc.id))) {
    say(`“${nameOf(doc)}” is deleted forever`)
    // What the server never had stays for /recover. Where the browser offers no database there is no copy.
    await removeSavedCopy(doc.id).catch(() => undefined)
  } else items.value = before
}

/** The server takes no larger text unless it is set up to; telling so here saves reading and sending the file. */
const LARGEST_BYTES = 10 * 1024 * 1024

/** Makes a document of a Markdown or text file and goes there. */
export const importFile = async (file: File): Promise<void> => {
  if (!/\.(md|markdown|mdown|txt)$/i.test(file.name)) {
    say('Only Markdown and text files become documents (.md, .txt).')
    return
  }
  if (file.size > LARGEST_BYTES) {
    say('That file is too large for a document: it may have 10 MB.')
    return
  }
  const text = (await file.text()).replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n')
  await attempt(async () => {
    const doc = await api.create({ text })
    location.assign(`/d/${doc.id}`)
  })
}
