package templates

import (
	"reflect"
	"strings"
	"text/template"
	"text/template/parse"
)

// text/template finds fields and methods by their names at each run, which
// costs more than all else of a mail. So a template is compiled once: the
// types of what it sees are known, and each action becomes a function that
// knows where to look. What is compiled is the part of the language that mails
// are written in; a template that goes beyond it, or is wrong, stays with
// text/template, whose results, and errors, are the measure in any case.

// step writes what one node of a template prints.
type step func(f *frame, dot reflect.Value)

// expr is the value of an argument or a pipeline.
type expr func(f *frame, dot reflect.Value) reflect.Value

// frame is one run of a template or of a part of it.
type frame struct {
	out  *markup
	vars []reflect.Value // $ is the first
}

// program is a compiled template for a dot of one type.
type program struct {
	steps []step
	vars  int // how many variables it has at once
}

func (p *program) run(out *markup, dot reflect.Value) {
	f := &frame{out: out, vars: make([]reflect.Value, p.vars)}
	f.vars[0] = dot
	f.each(p.steps, dot)
}

func (f *frame) each(steps []step, dot reflect.Value) {
	for _, s := range steps {
		s(f, dot)
	}
}

// execute runs a compiled template; it returns false, and nothing in out, where
// text/template is to do it instead, which alone says what is wrong.
func (p *program) execute(v *view, out *markup) (ok bool) {
	if p == nil {
		return false
	}
	defer func() {
		if recover() != nil {
			out.reset()
			ok = false
		}
	}()
	p.run(out, reflect.ValueOf(v))
	return true
}

// notCompiled is the panic of a template that cannot be compiled.
type notCompiled struct{ why string }

// sharedParts are programs of parts.txt that several mails use.
type sharedParts map[sharedPart]*program

type sharedPart struct {
	tree *parse.Tree
	dot  reflect.Type
}

// compile makes the program of t, or nil. What it makes of parts that call no
// other template, which may be another in each mail, it takes from shared and
// leaves there.
func compile(t *template.Template, shared sharedParts) (p *program) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case notCompiled:
			p = nil
		default:
			panic(e)
		}
	}()
	c := &compiler{set: t, shared: shared, made: map[partType]*program{}}
	return c.part(t.Name(), reflect.TypeFor[*view]())
}

// compiler compiles one set. Its methods panic with notCompiled.
type compiler struct {
	set    *template.Template
	shared sharedParts
	made   map[partType]*program
}

type partType struct {
	name string
	dot  reflect.Type
}

// scope is what a node may name: the variables, the innermost last.
type scope struct {
	c     *compiler
	p     *program
	vars  []variable
	calls bool // another template
}

type variable struct {
	name string
	typ  reflect.Type
}

func refuse(why string) { panic(notCompiled{why}) }

// part compiles a named template for a dot of that type, once.
func (c *compiler) part(name string, dot reflect.Type) *program {
	key := partType{name, dot}
	if p := c.made[key]; p != nil {
		return p // perhaps not finished: it calls itself
	}
	t := c.set.Lookup(name)
	if t == nil || t.Tree == nil || t.Root == nil {
		refuse("no template " + name)
	}
	share := sharedPart{t.Tree, dot}
	if p := c.shared[share]; p != nil {
		return p
	}
	p := &program{}
	c.made[key] = p
	s := &scope{c: c, p: p}
	s.declare("$", dot)
	p.steps = s.list(t.Root, dot)
	if !s.calls {
		c.shared[share] = p
	}
	return p
}

// declare adds a variable and returns its place.
func (s *scope) declare(name string, typ reflect.Type) int {
	s.vars = append(s.vars, variable{name, typ})
	s.p.vars = max(s.p.vars, len(s.vars))
	return len(s.vars) - 1
}

func (s *scope) list(l *parse.ListNode, dot reflect.Type) (steps []step) {
	if l == nil {
		return nil
	}
	defer func(n int) { s.vars = s.vars[:n] }(len(s.vars))
	for _, n := range l.Nodes {
		if st := s.node(n, dot); st != nil {
			steps = append(steps, st)
		}
	}
	return steps
}

func (s *scope) node(n parse.Node, dot reflect.Type) step {
	switch n := n.(type) {
	case *parse.CommentNode:
		return nil
	case *parse.TextNode:
		lines := strings.Split(string(n.Text), "\n")
		return func(f *frame, _ reflect.Value) { f.out.own(lines) }
	case *parse.ActionNode:
		return s.action(n.Pipe, dot)
	case *parse.IfNode:
		return s.branch(&n.BranchNode, dot, false)
	case *parse.WithNode:
		return s.branch(&n.BranchNode, dot, true)
	case *parse.RangeNode:
		return s.loop(n, dot)
	case *parse.TemplateNode:
		return s.call(n, dot)
	}
	refuse("a node " + n.String())
	return nil
}

// action prints: escapeTrees has put the escaper at the end of the pipeline.
func (s *scope) action(p *parse.PipeNode, dot reflect.Type) step {
	last := len(p.Cmds) - 1
	if len(p.Decl) > 0 || last < 1 || p.Cmds[last].String() != litFunc {
		refuse("no printing pipeline " + p.String())
	}
	value, _ := s.commands(p.Cmds[:last], dot)
	return func(f *frame, dot reflect.Value) { f.out.print(value(f, dot)) }
}

// branch is an if, or a with whose dot is the condition.
func (s *scope) branch(n *parse.BranchNode, dot reflect.Type, with bool) step {
	if len(n.Pipe.Decl) > 0 {
		refuse("a variable in " + n.Pipe.String())
	}
	cond, typ := s.commands(n.Pipe.Cmds, dot)
	inner := dot
	if with {
		inner = typ
	}
	yes, no := s.list(n.List, inner), s.list(n.ElseList, dot)
	return func(f *frame, dot reflect.Value) {
		v := cond(f, dot)
		if !isTrue(v) {
			f.each(no, dot)
			return
		}
		if with {
			dot = v
		}
		f.each(yes, dot)
	}
}

// loop is a range over a slice.
func (s *scope) loop(n *parse.RangeNode, dot reflect.Type) step {
	over, typ := s.commands(n.Pipe.Cmds, dot)
	if typ == nil || typ.Kind() != reflect.Slice || n.Pipe.IsAssign {
		refuse("range over " + n.Pipe.String())
	}
	defer func(n int) { s.vars = s.vars[:n] }(len(s.vars))
	index, elem := -1, -1
	switch d := n.Pipe.Decl; len(d) {
	case 1:
		elem = s.declare(d[0].Ident[0], typ.Elem())
	case 2:
		index = s.declare(d[0].Ident[0], reflect.TypeFor[int]())
		elem = s.declare(d[1].Ident[0], typ.Elem())
	}
	body, none := s.list(n.List, typ.Elem()), s.list(n.ElseList, dot)
	return func(f *frame, dot reflect.Value) {
		list := over(f, dot)
		if list.Len() == 0 {
			f.each(none, dot)
		}
		for i := range list.Len() {
			e := list.Index(i)
			if index >= 0 {
				f.vars[index] = reflect.ValueOf(i)
			}
			if elem >= 0 {
				f.vars[elem] = e
			}
			f.each(body, e)
		}
	}
}

// call runs another template of the set with a dot of its own.
func (s *scope) call(n *parse.TemplateNode, dot reflect.Type) step {
	if n.Pipe == nil || len(n.Pipe.Decl) > 0 {
		refuse("a call " + n.String())
	}
	arg, typ := s.commands(n.Pipe.Cmds, dot)
	if typ == nil {
		refuse("a call " + n.String())
	}
	s.calls = true
	p := s.c.part(n.Name, typ)
	return func(f *frame, dot reflect.Value) { p.run(f.out, arg(f, dot)) }
}
