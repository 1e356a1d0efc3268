// Prints what go/types says about a package: every call with its span and kind, and which named types implement which interfaces.
//
//	call	file	line	column	endLine	endColumn	kind	name	interface	selectorLine
//	impl	interface	type	true|false
package main

import (
	"bufio"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"sort"
)

func main() {
	fset := token.NewFileSet()
	parsed, err := parser.ParseDir(fset, os.Args[1], nil, 0)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var files []*ast.File
	for _, p := range parsed {
		for _, f := range p.Files {
			files = append(files, f)
		}
	}
	info := &types.Info{
		Types:      map[ast.Expr]types.TypeAndValue{},
		Selections: map[*ast.SelectorExpr]*types.Selection{},
		Uses:       map[*ast.Ident]types.Object{},
		Instances:  map[*ast.Ident]types.Instance{},
	}
	conf := types.Config{Importer: importer.ForCompiler(fset, "source", nil)}
	pkg, err := conf.Check("main", fset, files, info)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	w := bufio.NewWriter(os.Stdout)
	defer w.Flush()
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			if c, ok := n.(*ast.CallExpr); ok {
				call(w, fset, info, c)
			}
			return true
		})
	}
	implements(w, pkg)
}

func call(w *bufio.Writer, fset *token.FileSet, info *types.Info, c *ast.CallExpr) {
	tv := info.Types[c.Fun]
	if tv.IsType() || tv.IsBuiltin() {
		return
	}
	start, end := fset.Position(c.Pos()), fset.Position(c.End())
	line := fset.Position(c.Lparen).Line
	kind, name, iface := "closure", "-", "-"
	fun := ast.Unparen(c.Fun)
	switch x := fun.(type) {
	case *ast.IndexExpr:
		if _, ok := x.X.(*ast.Ident); ok && info.Types[x.X].IsValue() {
			if _, ok := info.Types[x.X].Type.(*types.Signature); ok {
				fun = x.X
			}
		}
	}
	switch x := fun.(type) {
	case *ast.Ident:
		line = fset.Position(x.Pos()).Line
		name = x.Name
		if _, ok := info.Uses[x].(*types.Func); ok {
			kind = "static"
		}
	case *ast.SelectorExpr:
		line = fset.Position(x.Sel.Pos()).Line
		name = x.Sel.Name
		if s, ok := info.Selections[x]; ok {
			switch {
			case s.Kind() == types.FieldVal:
			case isTypeParam(s.Recv()):
				kind = "dictionary"
			case types.IsInterface(s.Recv()):
				kind, iface = "interface", s.Recv().String()
			case s.Kind() == types.MethodVal:
				kind = "static"
				// Promoted through an embedded interface.
				if f, ok := s.Obj().(*types.Func); ok {
					if r := f.Type().(*types.Signature).Recv(); r != nil && types.IsInterface(r.Type()) {
						kind, iface = "interface", r.Type().String()
					}
				}
			default:
				kind = "expression"
			}
		} else if _, ok := info.Uses[x.Sel].(*types.Func); ok {
			kind = "static"
		}
	}
	fmt.Fprintf(w, "call\t%s\t%d\t%d\t%d\t%d\t%s\t%s\t%s\t%d\n", start.Filename, start.Line, start.Column, end.Line, end.Column,
		kind, name, iface, line)
}

func isTypeParam(t types.Type) bool {
	if p, ok := t.(*types.Pointer); ok {
		t = p.Elem()
	}
	_, ok := t.(*types.TypeParam)
	return ok
}

func implements(w *bufio.Writer, pkg *types.Package) {
	seen := map[*types.Package]bool{}
	var all []*types.Package
	var walk func(p *types.Package)
	walk = func(p *types.Package) {
		if seen[p] {
			return
		}
		seen[p] = true
		all = append(all, p)
		for _, i := range p.Imports() {
			walk(i)
		}
	}
	walk(pkg)
	sort.Slice(all, func(i, j int) bool { return all[i].Path() < all[j].Path() })
	var ifaces, concrete []*types.Named
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
			if i, ok := named.Underlying().(*types.Interface); ok {
				if i.NumMethods() > 0 && i.IsMethodSet() {
					ifaces = append(ifaces, named)
				}
			} else {
				concrete = append(concrete, named)
			}
		}
	}
	for _, i := range ifaces {
		u := i.Underlying().(*types.Interface)
		for _, c := range concrete {
			for _, t := range []types.Type{c, types.NewPointer(c)} {
				if types.Implements(t, u) {
					fmt.Fprintf(w, "impl\t%s\t%s\ttrue\n", i, t)
				}
			}
		}
	}
}
