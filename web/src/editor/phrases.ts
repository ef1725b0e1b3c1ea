import { EditorState } from '@codemirror/state'

/**
 * The words of the find panel. In the editor from its start: a view whose phrases change begins anew, and its plugins with
 * it (our caret would vanish for the others, a composition would break).
 */
export const phrases = EditorState.phrases.of({
  next: 'Next',
  previous: 'Previous',
  'match case': 'Match case',
  regexp: 'Pattern',
  'by word': 'Whole words',
  replace: 'Replace',
  'replace all': 'Replace all',
  close: 'Close find and replace',
  'replaced match on line $': 'Replaced the match in line $',
  'replaced $ matches': 'Replaced $ matches',
  'current match': 'Match',
  'on line': 'in line',
})
