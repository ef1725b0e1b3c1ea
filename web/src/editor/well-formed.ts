// Keeps what is typed and pasted well-formed: LF only, and no change that cuts a character of two UTF-16 units in half.
// Yjs turns the halves of a cut pair into U+FFFD for ever, and the browser's text diff does cut: replacing one emoji by
// another leaves their common first unit in place.
import { Annotation, type ChangeSpec, EditorState, type Text, Transaction } from '@codemirror/state'

/** Marks transactions that bring the replica's changes into the view; they are taken as they are. */
export const fromReplica = Annotation.define<boolean>()

const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

/** Whether `position` lies between the two units of one character. */
export function cutsCharacter(doc: Text, position: number): boolean {
  if (position <= 0 || position >= doc.length) return false
  return /^[\ud800-\udbff][\udc00-\udfff]$/.test(doc.sliceString(position - 1, position + 1))
}

/** The text with LF line ends and U+FFFD for every lone surrogate. */
export function wellFormed(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(LONE_SURROGATE, '\ufffd')
}

interface Change {
  from: number
  to: number
  insert: string
}

/** The same change widened to whole characters. */
export function snapToCharacters(doc: Text, { from, to, insert }: Change): Change {
  const start = cutsCharacter(doc, from) ? from - 1 : from
  const end = cutsCharacter(doc, to) ? to + 1 : to
  return {
    from: start,
    to: end,
    insert: doc.sliceString(start, from) + insert + doc.sliceString(to, end),
  }
}

/** A filter that rewrites local transactions which would break the text; all others pass untouched. */
export const keepWellFormed = EditorState.transactionFilter.of(transaction => {
  if (!transaction.docChanged || transaction.annotation(fromReplica)) return transaction
  const doc = transaction.startState.doc
  const changes: ChangeSpec[] = []
  let mended = false
  let sameText = true
  transaction.changes.iterChanges((from, to, _from, _to, inserted) => {
    const snapped = snapToCharacters(doc, { from, to, insert: inserted.sliceString(0) })
    const insert = wellFormed(snapped.insert)
    mended ||= snapped.from !== from || snapped.to !== to || insert !== snapped.insert
    sameText &&= insert === snapped.insert
    changes.push({ ...snapped, insert })
  })
  return mended ? rewrite(transaction, changes, sameText) : transaction
})

function rewrite(transaction: Transaction, specs: readonly ChangeSpec[], sameText: boolean) {
  const changes = transaction.startState.changes(specs)
  const userEvent = transaction.annotation(Transaction.userEvent)
  // Where lengths changed, the caret goes behind what was inserted.
  const caret = changes.mapPos(transaction.startState.selection.main.to, 1)
  return {
    changes,
    selection: sameText ? transaction.newSelection : { anchor: caret },
    effects: transaction.effects,
    scrollIntoView: transaction.scrollIntoView,
    ...(userEvent === undefined ? {} : { userEvent }),
  }
}
