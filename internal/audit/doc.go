// Package audit keeps the audit trail: what was asked of the server, by whom,
// and what came of it.
//
//  1. An event is in the file when Record returns nil: one write per event,
//     nothing waits in the process. kill -9 loses no event whose caller was
//     answered. Between the commit of a change and its event there is a gap:
//     a process that is killed within it leaves a change that nobody was
//     answered, and no event of it. Power loss may lose what the kernel had
//     not yet written back.
//  2. The trail is bounded on disk: a file that is full is closed, and the
//     oldest are removed to stay within the bound. Each family of events (what
//     principals did, what they read, what they were refused; what nobody was
//     refused, what anybody read) has files of its own, and loses none of them
//     while they fill less than three quarters of its share of the bound,
//     however many events of other families come.
//  3. An event that cannot be written is an error to the caller, and counted:
//     Stats. An event that was written in part is taken back, so the disk
//     being full for a while breaks no line. The caller decides; the advice is
//     to refuse changes while Stats.Err is set and Retry fails, and to let
//     pulls go on. The first line of the family after that says how many events
//     are missing.
//  4. Search reads while the trail is written. It holds one line of each family
//     at a time, whatever the trail's size. A line that is no event is counted
//     and passed over.
//  5. Files can be read by their owner only.
//
// It records what it is given: leaving secrets out is the caller's duty. The
// trail is of this process; replicas keep one each.
package audit
