package templates

import (
	"cmp"
	"fmt"
	"reflect"
	"strconv"
	"text/template"
	"text/template/parse"
	"time"

	"guichet/mailflow/ticket"
)

// commands compiles a pipeline of one command; typ is nil where the type
// depends on the values.
func (s *scope) commands(cmds []*parse.CommandNode, dot reflect.Type) (e expr, typ reflect.Type) {
	if len(cmds) != 1 {
		refuse("a pipeline of several commands")
	}
	args := cmds[0].Args
	switch n := args[0].(type) {
	case *parse.IdentifierNode:
		return s.function(n.Ident, args[1:], dot)
	case *parse.FieldNode:
		return s.fields(dotValue, dot, n.Ident, args[1:], dot)
	case *parse.VariableNode:
		v, typ := s.variable(n.Ident[0])
		return s.fields(v, typ, n.Ident[1:], args[1:], dot)
	}
	if len(args) > 1 {
		refuse("arguments of " + args[0].String())
	}
	return s.arg(args[0], dot)
}

func dotValue(_ *frame, dot reflect.Value) reflect.Value { return dot }

// arg compiles one argument.
func (s *scope) arg(n parse.Node, dot reflect.Type) (expr, reflect.Type) {
	switch n := n.(type) {
	case *parse.DotNode:
		return dotValue, dot
	case *parse.FieldNode:
		return s.fields(dotValue, dot, n.Ident, nil, dot)
	case *parse.VariableNode:
		v, typ := s.variable(n.Ident[0])
		return s.fields(v, typ, n.Ident[1:], nil, dot)
	case *parse.PipeNode:
		if len(n.Decl) == 0 {
			return s.commands(n.Cmds, dot)
		}
	case *parse.StringNode:
		return constant(reflect.ValueOf(n.Text))
	case *parse.BoolNode:
		return constant(reflect.ValueOf(n.True))
	case *parse.NumberNode:
		if n.IsInt && int64(int(n.Int64)) == n.Int64 {
			return constant(reflect.ValueOf(int(n.Int64)))
		}
	}
	refuse("an argument " + n.String())
	return nil, nil
}

func constant(v reflect.Value) (expr, reflect.Type) {
	return func(*frame, reflect.Value) reflect.Value { return v }, v.Type()
}

func (s *scope) variable(name string) (expr, reflect.Type) {
	for i := len(s.vars) - 1; i >= 0; i-- {
		if s.vars[i].name == name {
			return func(f *frame, _ reflect.Value) reflect.Value { return f.vars[i] }, s.vars[i].typ
		}
	}
	refuse("no variable " + name)
	return nil, nil
}

// fields follows a chain of names from a value; the last may be a method with
// arguments.
func (s *scope) fields(from expr, typ reflect.Type, names []string, args []parse.Node, dot reflect.Type) (expr, reflect.Type) {
	for i, name := range names {
		if typ == nil {
			refuse("a field of an unknown type: " + name)
		}
		var given []parse.Node
		if i == len(names)-1 {
			given = args
		}
		from, typ = s.field(from, typ, name, given, dot)
	}
	if len(names) == 0 && len(args) > 0 {
		refuse("arguments of a value")
	}
	return from, typ
}

func (s *scope) field(from expr, typ reflect.Type, name string, args []parse.Node, dot reflect.Type) (expr, reflect.Type) {
	if hasMethod(typ, name) {
		return s.method(from, typ, name, args, dot)
	}
	at := typ
	if at.Kind() == reflect.Pointer {
		at = at.Elem()
	}
	if at.Kind() != reflect.Struct || len(args) > 0 {
		refuse("no field " + name)
	}
	f, found := at.FieldByName(name)
	if !found || !f.IsExported() {
		refuse("no field " + name)
	}
	path := f.Index
	return func(f *frame, dot reflect.Value) reflect.Value {
		v := from(f, dot)
		for _, i := range path {
			if v.Kind() == reflect.Pointer {
				v = v.Elem() // nil panics below: see execute
			}
			v = v.Field(i)
		}
		return v
	}, f.Type
}

func hasMethod(typ reflect.Type, name string) bool {
	_, found := typ.MethodByName(name)
	if !found && typ.Kind() != reflect.Pointer {
		if _, found := reflect.PointerTo(typ).MethodByName(name); found {
			refuse("a method of a pointer")
		}
	}
	return found
}

// method compiles a call of a method of the view, or of a time's IsZero.
func (s *scope) method(from expr, typ reflect.Type, name string, args []parse.Node, dot reflect.Type) (expr, reflect.Type) {
	if typ == timeType && name == "IsZero" && len(args) == 0 {
		return func(f *frame, dot reflect.Value) reflect.Value {
			return boolValue(timeOf(from(f, dot)).IsZero())
		}, reflect.TypeFor[bool]()
	}
	fn := reflect.ValueOf(viewMethods[name])
	if typ != reflect.TypeFor[*view]() || !fn.IsValid() || fn.Type().NumIn() != len(args)+1 {
		refuse("no method " + name)
	}
	arg := expr(dotValue)
	if len(args) == 1 {
		var is reflect.Type
		if arg, is = s.arg(args[0], dot); is != fn.Type().In(1) {
			refuse("an argument of another type for " + name)
		}
	}
	call := callOf(fn.Interface())
	return func(f *frame, dot reflect.Value) reflect.Value {
		return call(from(f, dot).Interface().(*view), arg(f, dot))
	}, fn.Type().Out(0)
}

// viewMethods are those that templates may call.
var viewMethods = map[string]any{
	"When": (*view).When, "At": (*view).At, "Day": (*view).Day, "Short": (*view).Short, "Size": (*view).Size,
	"Topic": (*view).Topic, "Where": (*view).Where, "StateName": (*view).StateName, "RoleName": (*view).RoleName,
	"EventName": (*view).EventName, "Due": (*view).Due, "Marker": (*view).Marker, "Help": (*view).Help,
	"Linked": (*view).Linked, "Attached": (*view).Attached, "Older": (*view).Older, "Excerpt": (*view).Excerpt,
	"Last": (*view).Last, "EventOf": (*view).EventOf, "Untold": (*view).Untold, "Hours": (*view).Hours, "Section": (*view).Section,
}

// callOf calls a method without reflection, which would take most of the time.
func callOf(fn any) func(*view, reflect.Value) reflect.Value {
	switch fn := fn.(type) {
	case func(*view) string:
		return func(v *view, _ reflect.Value) reflect.Value { return reflect.ValueOf(fn(v)) }
	case func(*view) bool:
		return func(v *view, _ reflect.Value) reflect.Value { return boolValue(fn(v)) }
	case func(*view) []File:
		return func(v *view, _ reflect.Value) reflect.Value { return reflect.ValueOf(fn(v)) }
	case func(*view) []Entry:
		return func(v *view, _ reflect.Value) reflect.Value { return reflect.ValueOf(fn(v)) }
	case func(*view, time.Time) string:
		return func(v *view, a reflect.Value) reflect.Value { return reflect.ValueOf(fn(v, timeOf(a))) }
	case func(*view, string) []Item:
		return func(v *view, a reflect.Value) reflect.Value { return reflect.ValueOf(fn(v, a.String())) }
	case func(*view, int64) string:
		return func(v *view, a reflect.Value) reflect.Value { return reflect.ValueOf(fn(v, a.Int())) }
	case func(*view, string) string:
		return func(v *view, a reflect.Value) reflect.Value { return reflect.ValueOf(fn(v, a.String())) }
	case func(*view, ticket.State) string:
		return func(v *view, a reflect.Value) reflect.Value { return reflect.ValueOf(fn(v, ticket.State(a.String()))) }
	case func(*view, ticket.Role) string:
		return func(v *view, a reflect.Value) reflect.Value { return reflect.ValueOf(fn(v, ticket.Role(a.String()))) }
	case func(*view, Command) string:
		return func(v *view, a reflect.Value) reflect.Value { return reflect.ValueOf(fn(v, a.Interface().(Command))) }
	}
	refuse(fmt.Sprintf("a method of the form %T", fn))
	return nil
}

var (
	timeType    = reflect.TypeFor[time.Time]()
	yesValue    = reflect.ValueOf(true)
	noValue     = reflect.ValueOf(false)
	stringerTyp = reflect.TypeFor[fmt.Stringer]()
	errorTyp    = reflect.TypeFor[error]()
)

func boolValue(b bool) reflect.Value {
	if b {
		return yesValue
	}
	return noValue
}

func timeOf(v reflect.Value) time.Time {
	if v.CanAddr() {
		return *v.Addr().Interface().(*time.Time)
	}
	return v.Interface().(time.Time)
}

// function compiles a call of one of text/template's own functions.
func (s *scope) function(name string, nodes []parse.Node, dot reflect.Type) (expr, reflect.Type) {
	args, types := make([]expr, len(nodes)), make([]reflect.Type, len(nodes))
	for i, n := range nodes {
		args[i], types[i] = s.arg(n, dot)
	}
	yesNo := reflect.TypeFor[bool]()
	switch {
	case name == "not" && len(args) == 1:
		return func(f *frame, dot reflect.Value) reflect.Value { return boolValue(!isTrue(args[0](f, dot))) }, yesNo
	case (name == "and" || name == "or") && len(args) > 0:
		return shortCircuit(args, name == "or"), sameType(types)
	case (name == "eq" || name == "ne") && len(args) == 2 && comparable2(types):
		want := name == "eq"
		return func(f *frame, dot reflect.Value) reflect.Value {
			return boolValue(order(args[0](f, dot), args[1](f, dot)) == 0 == want)
		}, yesNo
	case name == "gt" && len(args) == 2 && comparable2(types):
		return func(f *frame, dot reflect.Value) reflect.Value {
			return boolValue(order(args[0](f, dot), args[1](f, dot)) > 0)
		}, yesNo
	case name == "len" && len(args) == 1 && types[0] != nil && types[0].Kind() == reflect.Slice:
		return func(f *frame, dot reflect.Value) reflect.Value { return reflect.ValueOf(args[0](f, dot).Len()) }, reflect.TypeFor[int]()
	case name == "slice" && len(args) == 3 && types[0] != nil && types[0].Kind() == reflect.Slice &&
		types[1] == reflect.TypeFor[int]() && types[2] == reflect.TypeFor[int]():
		return func(f *frame, dot reflect.Value) reflect.Value {
			list := args[0](f, dot)
			if n := int(args[2](f, dot).Int()); n > list.Len() { // reflect looks at the capacity
				panic("slice beyond the end")
			}
			return list.Slice(int(args[1](f, dot).Int()), int(args[2](f, dot).Int()))
		}, types[0]
	}
	refuse("the function " + name)
	return nil, nil
}

// shortCircuit is "and" and "or": the first argument that decides, or the last.
func shortCircuit(args []expr, on bool) expr {
	return func(f *frame, dot reflect.Value) (v reflect.Value) {
		for _, a := range args {
			if v = a(f, dot); isTrue(v) == on {
				return v
			}
		}
		return v
	}
}

// sameType is the type of all, or nil.
func sameType(types []reflect.Type) reflect.Type {
	for _, t := range types {
		if t != types[0] {
			return nil
		}
	}
	return types[0]
}

// comparable2 says whether both are texts, or both whole numbers.
func comparable2(types []reflect.Type) bool {
	kind := func(t reflect.Type) reflect.Kind {
		switch {
		case t == nil:
			return reflect.Invalid
		case t.Kind() >= reflect.Int && t.Kind() <= reflect.Int64:
			return reflect.Int
		}
		return t.Kind()
	}
	k := kind(types[0])
	return k == kind(types[1]) && (k == reflect.String || k == reflect.Int)
}

func order(a, b reflect.Value) int {
	if a.Kind() == reflect.String {
		return cmp.Compare(a.String(), b.String())
	}
	return cmp.Compare(a.Int(), b.Int())
}

// isTrue is text/template's, without making an interface of most values.
func isTrue(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Bool:
		return v.Bool()
	case reflect.String, reflect.Slice:
		return v.Len() > 0
	case reflect.Int, reflect.Int64:
		return v.Int() != 0
	}
	truth, ok := template.IsTrue(v.Interface())
	if !ok {
		panic("a value that is neither true nor false")
	}
	return truth
}

// print writes a value as literal does.
func (o *markup) print(v reflect.Value) {
	var s string
	switch t := v.Type(); {
	case t.Implements(stringerTyp) || t.Implements(errorTyp):
		s = fmt.Sprint(v.Interface())
	case v.Kind() == reflect.String:
		s = v.String()
	case v.Kind() == reflect.Int || v.Kind() == reflect.Int64:
		s = strconv.FormatInt(v.Int(), 10)
	default:
		s = fmt.Sprint(v.Interface())
	}
	o.value(literalText(s))
}
