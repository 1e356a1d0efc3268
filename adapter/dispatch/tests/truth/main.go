// Prints what go/types says about a program: the calls of all its packages with span and kind, its type assertions, and which of its
// named types implement which of its interfaces. The one argument is a package as `go list` takes it.
//
//	call	file	line	column	endLine	endColumn	kind	name	interface	selectorLine	receiver
//	assert	file	line	lastLine	type	concrete|interface|parameter	clauseLine	assertion|switch
//	type	name
//	impl	interface	type
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
)

type listed struct {
	ImportPath, Dir, Name string
	GoFiles               []string
	ImportMap             map[string]string
}

type packages map[string]*types.Package

// importing resolves the imports of one package: vendored ones have another path.
type importing struct {
	from listed
	all  packages
}

func (i importing) Import(path string) (*types.Package, error) {
	if to, ok := i.from.ImportMap[path]; ok {
		path = to
	}
	if p, ok := i.all[path]; ok {
		return p, nil
	}
	return nil, fmt.Errorf("%s is not among the packages before", path)
}

var out = bufio.NewWriterSize(os.Stdout, 1<<16)

func main() {
	defer out.Flush()
	list := exec.Command("go", "list", "-deps", "-json=ImportPath,Dir,Name,GoFiles,ImportMap", os.Args[1])
	list.Stderr = os.Stderr
	text, err := list.Output()
	check(err)
	all := packages{"unsafe": types.Unsafe}
	var order []*types.Package
	for d := json.NewDecoder(strings.NewReader(string(text))); ; {
		var l listed
		if err := d.Decode(&l); err == io.EOF {
			break
		} else {
			check(err)
		}
		if l.ImportPath != "unsafe" {
			all[l.ImportPath] = typeCheck(l, all)
			order = append(order, all[l.ImportPath])
		}
	}
	implements(order)
}

func check(err error) {
	if err != nil {
		out.Flush()
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func typeCheck(l listed, all packages) *types.Package {
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range l.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(l.Dir, name), nil, parser.SkipObjectResolution)
		check(err)
		files = append(files, f)
	}
	info := &types.Info{
		Types:      map[ast.Expr]types.TypeAndValue{},
		Selections: map[*ast.SelectorExpr]*types.Selection{},
		Uses:       map[*ast.Ident]types.Object{},
	}
	conf := types.Config{Importer: importing{l, all}, Sizes: types.SizesFor("gc", "amd64")}
	// The linker's name of the program's own package.
	path := l.ImportPath
	if l.Name == "main" {
		path = "main"
	}
	pkg, err := conf.Check(path, fset, files, info)
	check(err)
	v := visitor{fset, info}
	for _, f := range files {
		called := map[ast.Expr]bool{}
		ast.Inspect(f, func(n ast.Node) bool {
			switch x := n.(type) {
			case *ast.CallExpr:
				called[bare(x.Fun)] = true
				v.call(x, x.Fun, "")
			case *ast.SelectorExpr:
				if !called[x] {
					v.methodValue(x)
				}
			case *ast.TypeAssertExpr:
				if x.Type != nil {
					v.assertion(x, x, x.Type, x.Type.Pos(), "assertion")
				}
			case *ast.TypeSwitchStmt:
				v.typeSwitch(x)
			}
			return true
		})
	}
	return pkg
}

func bare(e ast.Expr) ast.Expr {
	for {
		p, ok := e.(*ast.ParenExpr)
		if !ok {
			return e
		}
		e = p.X
	}
}

type visitor struct {
	fset *token.FileSet
	info *types.Info
}

func (v visitor) methodValue(x *ast.SelectorExpr) {
	if s, ok := v.info.Selections[x]; ok && s.Kind() != types.FieldVal {
		v.call(x, x, "value")
	}
}

// call prints a call, or with a kind given a method value.
func (v visitor) call(whole, function ast.Expr, kind string) {
	tv := v.info.Types[function]
	if tv.IsType() || tv.IsBuiltin() {
		return
	}
	start, end := v.fset.Position(whole.Pos()), v.fset.Position(whole.End())
	line := start.Line
	if c, ok := whole.(*ast.CallExpr); ok {
		line = v.fset.Position(c.Lparen).Line
	}
	found, name, iface, receiver := "closure", "-", "-", "-"
	fun := bare(function)
	if x, ok := fun.(*ast.IndexExpr); ok {
		// An instance of a generic function, not an element.
		if id, ok := x.X.(*ast.Ident); ok {
			if _, ok := v.info.Uses[id].(*types.Func); ok {
				fun = id
			}
		}
	}
	switch x := fun.(type) {
	case *ast.Ident:
		line, name = v.fset.Position(x.Pos()).Line, x.Name
		if _, ok := v.info.Uses[x].(*types.Func); ok {
			found = "static"
		}
	case *ast.SelectorExpr:
		line, name = v.fset.Position(x.Sel.Pos()).Line, x.Sel.Name
		if id, ok := bare(x.X).(*ast.Ident); ok {
			receiver = id.Name
		}
		found, iface = v.selector(x)
	}
	if kind == "" || found != "interface" && found != "dictionary" {
		kind = found
	}
	fmt.Fprintf(out, "call\t%s\t%d\t%d\t%d\t%d\t%s\t%s\t%s\t%d\t%s\n", start.Filename, start.Line, start.Column, end.Line, end.Column,
		kind, name, iface, line, receiver)
}

func (v visitor) selector(x *ast.SelectorExpr) (kind, iface string) {
	s, ok := v.info.Selections[x]
	if !ok {
		if _, ok := v.info.Uses[x.Sel].(*types.Func); ok {
			return "static", "-"
		}
		return "closure", "-"
	}
	switch {
	case s.Kind() == types.FieldVal:
		return "closure", "-"
	case isTypeParam(s.Recv()):
		return "dictionary", "-"
	case s.Kind() == types.MethodExpr:
		return "expression", "-"
	}
	// The method may come from an interface that is embedded.
	if f, ok := s.Obj().(*types.Func); ok {
		if r := f.Type().(*types.Signature).Recv(); r != nil && types.IsInterface(r.Type()) {
			if types.IsInterface(s.Recv()) {
				return "interface", name(s.Recv())
			}
			return "interface", name(r.Type())
		}
	}
	return "static", "-"
}

func isTypeParam(t types.Type) bool {
	if p, ok := t.(*types.Pointer); ok {
		t = p.Elem()
	}
	_, ok := t.(*types.TypeParam)
	return ok
}

// The predeclared names that the linker doesn't know.
var alias = regexp.MustCompile(`(^|[^.\w/])(byte|rune|any)\b`)

// name spells a type as the linker does, without spaces.
func name(t types.Type) string {
	switch t := unalias(t).(type) {
	case *types.Pointer:
		return "*" + name(t.Elem())
	case *types.Slice:
		return "[]" + name(t.Elem())
	case *types.Interface:
		// The linker knows the whole method set, not what was embedded.
		if t.NumEmbeddeds() > 0 && t.IsMethodSet() {
			all := make([]*types.Func, t.NumMethods())
			for i := range all {
				all[i] = t.Method(i)
			}
			return name(types.NewInterfaceType(all, nil).Complete())
		}
	}
	t = unalias(t)
	text := types.TypeString(t, func(p *types.Package) string { return p.Path() })
	text = alias.ReplaceAllStringFunc(text, func(m string) string {
		return strings.NewReplacer("byte", "uint8", "rune", "int32", "any", "interface{}").Replace(m)
	})
	return strings.ReplaceAll(text, " ", "")
}

func (v visitor) assertion(from, to ast.Node, of ast.Expr, clause token.Pos, form string) {
	t := v.info.Types[of].Type
	if t == nil || t == types.Typ[types.UntypedNil] {
		return
	}
	kind := "concrete"
	switch {
	case hasTypeParam(t, map[types.Type]bool{}):
		kind = "parameter"
	case types.IsInterface(t):
		kind = "interface"
	}
	at := v.fset.Position(from.Pos())
	fmt.Fprintf(out, "assert\t%s\t%d\t%d\t%s\t%s\t%d\t%s\n", at.Filename, at.Line, v.fset.Position(to.End()).Line, name(t), kind,
		v.fset.Position(clause).Line, form)
}

func (v visitor) typeSwitch(s *ast.TypeSwitchStmt) {
	for _, c := range s.Body.List {
		for _, t := range c.(*ast.CaseClause).List {
			v.assertion(s, s.Assign, t, c.Pos(), "switch")
		}
	}
}

func hasTypeParam(t types.Type, seen map[types.Type]bool) bool {
	if seen[t] {
		return false
	}
	seen[t] = true
	switch t := t.(type) {
	case *types.TypeParam:
		return true
	case interface{ Elem() types.Type }:
		if m, ok := t.(*types.Map); ok && hasTypeParam(m.Key(), seen) {
			return true
		}
		return hasTypeParam(t.Elem(), seen)
	case *types.Named:
		for i := 0; i < t.TypeArgs().Len(); i++ {
			if hasTypeParam(t.TypeArgs().At(i), seen) {
				return true
			}
		}
	case *types.Struct:
		for i := 0; i < t.NumFields(); i++ {
			if hasTypeParam(t.Field(i).Type(), seen) {
				return true
			}
		}
	case *types.Signature:
		return hasTypeParam(t.Params(), seen) || hasTypeParam(t.Results(), seen)
	case *types.Tuple:
		for i := 0; i < t.Len(); i++ {
			if hasTypeParam(t.At(i).Type(), seen) {
				return true
			}
		}
	case *types.Interface:
		for i := 0; i < t.NumMethods(); i++ {
			if hasTypeParam(t.Method(i).Type(), seen) {
				return true
			}
		}
	}
	return false
}

func implements(all []*types.Package) {
	sort.Slice(all, func(i, j int) bool { return all[i].Path() < all[j].Path() })
	var interfaces, concrete []*types.Named
	for _, p := range all {
		for _, n := range p.Scope().Names() {
			t, ok := p.Scope().Lookup(n).(*types.TypeName)
			if !ok || t.IsAlias() {
				continue
			}
			named, ok := t.Type().(*types.Named)
			if !ok || named.TypeParams().Len() > 0 {
				continue
			}
			fmt.Fprintf(out, "type\t%s\n", name(named))
			if i, ok := named.Underlying().(*types.Interface); !ok {
				concrete = append(concrete, named)
			} else if i.NumMethods() > 0 && i.IsMethodSet() {
				interfaces = append(interfaces, named)
			}
		}
	}
	for _, i := range interfaces {
		u := i.Underlying().(*types.Interface)
		for _, c := range concrete {
			for _, t := range []types.Type{c, types.NewPointer(c)} {
				if types.Implements(t, u) {
					fmt.Fprintf(out, "impl\t%s\t%s\n", name(i), name(t))
				}
			}
		}
	}
}
