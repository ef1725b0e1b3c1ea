// What an older replica has that the server lacks, and what of it comes back or is set aside.
import type * as Y from 'yjs'
import type { KeptText } from './database'
import { insertedIn, newsOf, partsOf, textOf } from './news'
import type { Carried } from './types'

/** What `settle` decided: `delta` comes back as new edits of `fresh`, `text` is set aside. */
export interface Settled {
  delta: ReturnType<typeof newsOf> | null
  text: KeptText | undefined
}

/** Compares the server's text in `fresh` with an `older` replica; what is not in the new text afterwards is set aside. */
export function settle(id: string, fresh: Y.Doc, older: Y.Doc, carried: Carried): Settled {
  const news = newsOf(fresh, older)
  const delta = carried.reapply && news.length > 0 ? news : null
  const after = carried.reapply ? textOf(older) : textOf(fresh)
  const { refused } = carried
  const text = refused ? textOf(refused.state) : textOf(older)
  const parts = refused ? partsOf(refused.state, refused.mine) : insertedIn(news)
  const isLost =
    parts.some(part => !after.includes(part)) || (parts.length === 0 && !refused && text !== after)
  return { delta, text: isLost ? kept(id, text, parts, carried) : undefined }
}

/** The same text is kept once, however often it is refused. */
function kept(document: string, text: string, parts: string[], { why }: Carried): KeptText {
  return { id: `${document} ${fingerprint(text)}`, document, at: Date.now(), why, text, parts }
}

/** FNV-1a over UTF-16 units: enough to tell the few texts of one document apart, and there without https. */
function fingerprint(text: string): string {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0
  return `${text.length}-${hash.toString(16)}`
}
