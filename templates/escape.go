package templates

import (
	"fmt"
	"strings"
	"text/template"
	"text/template/parse"
	"unicode/utf8"
)

// A mail's template makes markup (markup.go) of which one source gives the
// text and the HTML. What an action prints must never be taken for markup:
// every pipeline that prints is made to end in literal, which wraps the value
// in two control characters that no value can hold. The markup reader takes
// what they enclose as words, and each renderer escapes it its own way.
const (
	litOpen  = '\x01'
	litClose = '\x02'
)

// litFunc is the escaper's name in templates.
const litFunc = "_literal"

// literal wraps a value. Nothing gives nothing, so that a line which holds
// only empty values is an empty line.
func literal(v any) string {
	if v == nil {
		return ""
	}
	s := literalText(fmt.Sprint(v))
	if s == "" {
		return ""
	}
	return string(litOpen) + s + string(litClose)
}

// literalText is what stands between the marks; "" is nothing.
func literalText(s string) string {
	s = strings.Trim(cleanValue(s), "\n")
	if strings.TrimSpace(s) == "" {
		return ""
	}
	return s
}

// cleanValue drops controls, the two sentinels among them; of the line ends
// it leaves LF.
func cleanValue(s string) string {
	if isClean(s) {
		return s
	}
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\r\n", "\n")
	return strings.Map(cleanRune, s)
}

// cleanRune is what becomes of a character; -1 drops it.
func cleanRune(r rune) rune {
	switch {
	case r == '\n' || r == '\t':
		return r
	case r == '\r' || r == 0x85 || r == 0x2028 || r == 0x2029:
		return '\n'
	case r < ' ' || r >= 0x7f && r < 0xa0:
		return -1
	}
	return r
}

// isClean says that cleanValue has nothing to do, as with most values.
func isClean(s string) bool {
	ascii := true
	for i := range len(s) {
		switch c := s[i]; {
		case c >= ' ' && c < 0x7f, c == '\n', c == '\t':
		case c < utf8.RuneSelf:
			return false
		case c == 0xc2 && i+1 < len(s) && s[i+1] < 0xa0, // U+0080 to U+009F
			c == 0xe2 && (strings.HasPrefix(s[i:], "\u2028") || strings.HasPrefix(s[i:], "\u2029")):
			return false
		default:
			ascii = false
		}
	}
	return ascii || utf8.ValidString(s)
}

// escapeTrees ends every printing pipeline of every template of the set in
// the escaper, as html/template does.
func escapeTrees(t *template.Template) {
	for _, a := range t.Templates() {
		if a.Tree != nil && a.Root != nil {
			escapeList(a.Tree, a.Root)
		}
	}
}

func escapeList(tree *parse.Tree, list *parse.ListNode) {
	if list == nil {
		return
	}
	for _, n := range list.Nodes {
		switch n := n.(type) {
		case *parse.ActionNode:
			escapeAction(tree, n)
		case *parse.IfNode:
			escapeList(tree, n.List)
			escapeList(tree, n.ElseList)
		case *parse.RangeNode:
			escapeList(tree, n.List)
			escapeList(tree, n.ElseList)
		case *parse.WithNode:
			escapeList(tree, n.List)
			escapeList(tree, n.ElseList)
		}
	}
}

// escapeAction leaves alone what only declares or sets a variable, and what
// is escaped already: a tree that several sets share is walked twice.
func escapeAction(tree *parse.Tree, n *parse.ActionNode) {
	if len(n.Pipe.Decl) > 0 {
		return
	}
	last := n.Pipe.Cmds[len(n.Pipe.Cmds)-1]
	if len(last.Args) == 1 {
		if id, ok := last.Args[0].(*parse.IdentifierNode); ok && id.Ident == litFunc {
			return
		}
	}
	id := parse.NewIdentifier(litFunc).SetTree(tree).SetPos(n.Pos)
	n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{
		NodeType: parse.NodeCommand, Pos: n.Pos, Args: []parse.Node{id},
	})
}
