import type { Doc, Role } from '../../api'

/** What this device remembers of a document, so that it opens without the server. */
export interface Known {
  title: string
  role: Role
  generation: number
}

const keyOf = (id: string): string => `coscribe.known.${id}`

export const remember = (doc: Doc): void => {
  const known: Known = { title: doc.title, role: doc.role, generation: doc.generation }
  try {
    localStorage.setItem(keyOf(doc.id), JSON.stringify(known))
  } catch (refused) {
    console.warn('This browser does not remember the document.', refused)
  }
}

export const recall = (id: string): Known | null => {
  try {
    return JSON.parse(localStorage.getItem(keyOf(id)) ?? 'null') as Known | null
  } catch {
    return null
  }
}

export const forget = (id: string): void => {
  try {
    localStorage.removeItem(keyOf(id))
  } catch (refused) {
    console.warn('This browser does not let go of the document.', refused)
  }
}
