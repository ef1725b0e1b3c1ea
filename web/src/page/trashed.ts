/** Word of a document that its own page moved to the trash, for the home page, which offers to undo it. */
export interface Trashed {
  id: string
  title: string
}

const KEY = 'coscribe.trashed'

export const leaveWord = (trashed: Trashed): void => {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(trashed))
  } catch (refused) {
    console.warn('This browser keeps nothing between pages; the trash has the document.', refused)
  }
}

/** The word left, once. */
export const takeWord = (): Trashed | null => {
  try {
    const left = sessionStorage.getItem(KEY)
    sessionStorage.removeItem(KEY)
    return left === null ? null : (JSON.parse(left) as Trashed)
  } catch {
    return null
  }
}
