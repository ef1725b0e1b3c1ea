import { Session } from './session'
import type { DocumentSession, OpenOptions } from './types'

export { mayWrite } from './session'
export type * from './types'

/** Opens a document: connects, reads the copy on this device and keeps all three in step until `destroy`. */
export function openDocument(id: string, options: OpenOptions): DocumentSession {
  return new Session(id, options)
}
