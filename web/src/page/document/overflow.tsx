import type { JSX } from 'preact'
import { api, told } from '../../api'
import { keyName } from '../keys'
import { Menu, MenuChoice, MenuItem } from '../menu'
import { setWide, wide } from '../settings'
import { copy } from '../take-away'
import { ThemeChoices } from '../themes'
import { say } from '../toasts'
import { leaveWord } from '../trashed'
import { addressOf, doc, downloadText, editor, ending, isOwner, session, sheet, title } from './desk'

/** The home page offers to undo it: this page cannot stay, its document is gone. */
const moveToTrash = async (id: string): Promise<void> => {
  try {
    await api.trash(id)
    leaveWord({ id, title: title.value })
    location.assign('/')
  } catch (error) {
    say(told(error))
  }
}

const Looks = (): JSX.Element => (
  <>
    <ThemeChoices />
    <MenuChoice kind="checkbox" checked={wide.value} onPick={() => setWide(!wide.value)}>
      Wide text
    </MenuChoice>
  </>
)

const OfDocument = ({ id }: { id: string }): JSX.Element => (
  <>
    <MenuItem icon="link" onPick={() => void copy(addressOf(id), 'Link copied')}>
      Copy link
    </MenuItem>
    <MenuItem icon="download" onPick={downloadText}>
      Download .md
    </MenuItem>
    {editor.value && (
      <MenuItem icon="find" keys={keyName('Mod+F')} onPick={() => void editor.value?.openSearch()}>
        Find and replace
      </MenuItem>
    )}
    <MenuItem icon="count" onPick={() => (sheet.value = 'count')}>
      Word count
    </MenuItem>
    <MenuItem icon="detour" onPick={() => (sheet.value = 'connection')}>
      Connection
    </MenuItem>
    <hr />
  </>
)

/** Everything that is wanted seldom. */
export const Overflow = (): JSX.Element => {
  const id = doc.value?.id
  const alive = id !== undefined && session.value !== null && ending.value === null
  return (
    <Menu label="More" icon="more">
      {alive && <OfDocument id={id} />}
      <Looks />
      <hr />
      <MenuItem icon="keys" keys={keyName('Mod+/')} onPick={() => (sheet.value = 'keys')}>
        Keyboard shortcuts
      </MenuItem>
      <MenuItem icon="plus" onPick={() => location.assign('/new')}>
        New document
      </MenuItem>
      {alive && isOwner.value && (
        <MenuItem icon="trash" danger onPick={() => void moveToTrash(id)}>
          Move to trash
        </MenuItem>
      )}
    </Menu>
  )
}
