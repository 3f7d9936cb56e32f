//! TypeScript to JavaScript. The whole transformer runs, so that enums, namespaces and parameter
//! properties work, and a source map leads stacks back to the user's lines.

use std::path::{Path, PathBuf};

use oxc::allocator::{Allocator, GetAllocator};
use oxc::ast::ast::{
    Decorator, ExportAllDeclaration, ExportFromDeclaration, Expression, ImportDeclaration,
    ImportExpression, Program, StringLiteral,
};
use oxc::ast_visit::{VisitMut, walk_mut};
use oxc::codegen::{Codegen, CodegenOptions, CodegenReturn};
use oxc::diagnostics::{Diagnostics, OxcDiagnostic, Severity};
use oxc::parser::Parser;
use oxc::semantic::SemanticBuilder;
use oxc::span::{SourceType, Span};
use oxc::str::Str;
use oxc::transformer::{Module, TransformOptions, Transformer};

use crate::error::{ScriptError, SyntaxProblem};
use crate::stack;

/// A script may not be larger: the parser needs room on the stack for each byte that could be one
/// more level of nesting, see [`stack`].
pub const SOURCE_BYTES_MAX: usize = 1 << 20;
/// After so many problems the rest follows from the first ones.
const PROBLEMS_MAX: usize = 10;

/// A script without types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stripped {
    /// JavaScript; modules stay modules.
    pub code: String,
    /// The source map (version 3) as JSON; its only source is the path that was given.
    pub map: String,
}

/// The name of the JavaScript file a TypeScript file becomes: `a.ts` is `a.js`, `a.mts` is `a.mjs`.
/// `None` for declarations (`a.d.ts`) and for everything that is not TypeScript.
pub fn javascript_path(path: &Path) -> Option<PathBuf> {
    let source_type = SourceType::from_path(path).ok()?;
    if !source_type.is_typescript() || source_type.is_typescript_definition() {
        return None;
    }
    Some(path.with_extension(javascript_extension(path.extension()?.to_str()?)?))
}

fn javascript_extension(extension: &str) -> Option<&'static str> {
    match extension {
        "ts" | "tsx" => Some("js"),
        "mts" => Some("mjs"),
        "cts" => Some("cjs"),
        _ => None,
    }
}

/// Makes JavaScript of TypeScript. `path` names the source in errors and in the map, and its
/// extension says what the text is; nothing is read from it. Relative imports of `./a.ts` become
/// imports of `./a.js`.
///
/// # Errors
/// Syntax errors with their places, decorators (no version of Node runs them), an extension that is
/// not TypeScript's or JavaScript's, a text that is too large.
pub fn strip(source: &str, path: &Path) -> Result<Stripped, ScriptError> {
    transform(source, path, |generated| {
        let map = generated.map.map(|map| map.to_json_string()).unwrap_or_default();
        Stripped { code: generated.code, map }
    })
}

/// Transforms a script and makes something of what was generated. It is made before the memory of
/// the transformer is given back, because the map borrows from it.
///
/// # Errors
/// Those of [`strip`].
pub(crate) fn transform<T: Send>(
    source: &str,
    path: &Path,
    finish: impl FnOnce(CodegenReturn<'_>) -> T + Send,
) -> Result<T, ScriptError> {
    let source_type = SourceType::from_path(path)
        .map_err(|_| ScriptError::Extension { path: path.to_path_buf() })?;
    if source.len() > SOURCE_BYTES_MAX {
        return Err(ScriptError::TooLarge {
            path: path.to_path_buf(),
            bytes: source.len() as u64,
            max: SOURCE_BYTES_MAX as u64,
        });
    }
    if stack::nesting(source) > stack::NESTING_MAX {
        return Err(ScriptError::TooDeep { path: path.to_path_buf(), max: stack::NESTING_MAX });
    }
    stack::with_room_for(source, path, || {
        let allocator = Allocator::default();
        generate(&allocator, source, (path, source_type)).map(finish)
    })?
}

fn generate<'a>(
    allocator: &'a Allocator,
    source: &'a str,
    (path, source_type): (&Path, SourceType),
) -> Result<CodegenReturn<'a>, ScriptError> {
    let check = |diagnostics: Diagnostics| refuse(&diagnostics, source, path);

    let parsed = Parser::new(allocator, source, source_type).parse();
    check(parsed.diagnostics)?;
    let mut program = parsed.program;
    check(prepare(allocator, &mut program))?;

    let semantic = SemanticBuilder::new()
        .with_check_syntax_error(true)
        .with_excess_capacity(2.0)
        .with_enum_eval(true)
        .build(&program);
    check(semantic.diagnostics)?;
    let scoping = semantic.semantic.into_scoping();

    let options = transform_options(source_type);
    let transformed =
        Transformer::new(allocator, path, &options).build_with_scoping(scoping, &mut program);
    check(transformed.diagnostics)?;

    let options =
        CodegenOptions { source_map_path: Some(path.to_path_buf()), ..CodegenOptions::default() };
    Ok(Codegen::new().with_options(options).build(&program))
}

fn transform_options(source_type: SourceType) -> TransformOptions {
    let mut options = TransformOptions::default();
    if source_type.is_commonjs() {
        // `import a = require("a")` and `export =` are how TypeScript writes CommonJS.
        options.env.module = Module::CommonJS;
    }
    options
}

fn refuse(diagnostics: &Diagnostics, source: &str, path: &Path) -> Result<(), ScriptError> {
    let problems: Vec<SyntaxProblem> = diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .take(PROBLEMS_MAX)
        .map(|diagnostic| problem(diagnostic, source, path))
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(ScriptError::Syntax { problems }) }
}

fn problem(diagnostic: &OxcDiagnostic, source: &str, path: &Path) -> SyntaxProblem {
    let offset = diagnostic.labels.first().map_or(0, |label| label.offset() as usize);
    SyntaxProblem::at(path, source, offset, diagnostic.message.to_string())
        .help(diagnostic.help.as_ref().map(ToString::to_string))
}

/// What the transformer leaves to us: relative specifiers get the extension of the file that will
/// be there, and decorators are refused where the user can see them.
fn prepare<'a>(allocator: &'a Allocator, program: &mut Program<'a>) -> Diagnostics {
    let mut pass = Prepare { allocator, diagnostics: Diagnostics::new() };
    pass.visit_program(program);
    pass.diagnostics
}

struct Prepare<'a> {
    allocator: &'a Allocator,
    diagnostics: Diagnostics,
}

impl<'a> GetAllocator<'a> for Prepare<'a> {
    fn allocator(&self) -> &'a Allocator {
        self.allocator
    }
}

impl<'a> Prepare<'a> {
    fn rewrite(&self, specifier: &mut StringLiteral<'a>) {
        let value = specifier.value.as_str();
        if !value.starts_with("./") && !value.starts_with("../") {
            return;
        }
        let Some((stem, extension)) = value.rsplit_once('.') else { return };
        if let Some(extension) = javascript_extension(extension) {
            specifier.value = Str::from_strs_array_in([stem, ".", extension], self);
            specifier.raw = None;
        }
    }

    fn refuse_decorator(&mut self, span: Span) {
        self.diagnostics.push(
            OxcDiagnostic::error("decorators are not supported")
                .with_help("no version of Node runs them; call the function yourself")
                .with_label(span),
        );
    }
}

impl<'a> VisitMut<'a> for Prepare<'a> {
    fn visit_import_declaration(&mut self, it: &mut ImportDeclaration<'a>) {
        self.rewrite(&mut it.source);
        walk_mut::walk_import_declaration(self, it);
    }

    fn visit_export_from_declaration(&mut self, it: &mut ExportFromDeclaration<'a>) {
        self.rewrite(&mut it.source);
        walk_mut::walk_export_from_declaration(self, it);
    }

    fn visit_export_all_declaration(&mut self, it: &mut ExportAllDeclaration<'a>) {
        self.rewrite(&mut it.source);
        walk_mut::walk_export_all_declaration(self, it);
    }

    fn visit_import_expression(&mut self, it: &mut ImportExpression<'a>) {
        if let Expression::StringLiteral(source) = &mut it.source {
            self.rewrite(source);
        }
        walk_mut::walk_import_expression(self, it);
    }

    fn visit_decorator(&mut self, it: &mut Decorator<'a>) {
        self.refuse_decorator(it.span);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(source: &str) -> String {
        strip(source, Path::new("src/a.ts")).unwrap().code
    }

    #[test]
    fn types_go_and_what_has_a_meaning_at_run_time_stays() {
        let table = [
            ("export const a: number = 1 as number;", "export const a = 1;\n"),
            ("import type { A } from './a.ts';\nexport {};", "export {};\n"),
            ("interface A { b: string }\nexport type B = A;", "export {};\n"),
            ("export default { a: 1 } satisfies Config;", "export default { a: 1 };\n"),
            ("import { b } from './b.ts';\nb();", "import { b } from \"./b.js\";\nb();\n"),
            ("export * from '../c.mts';", "export * from \"../c.mjs\";\n"),
            ("export { d } from './d.tsx';", "export { d } from \"./d.js\";\n"),
            ("await import('./e.cts');", "await import(\"./e.cjs\");\n"),
            ("import f from 'pkg/f.ts';\nf();", "import f from \"pkg/f.ts\";\nf();\n"),
            ("import g from './g.js';\ng();", "import g from \"./g.js\";\ng();\n"),
        ];
        for (source, expected) in table {
            assert_eq!(code(source), expected, "{source}");
        }
    }

    #[test]
    fn enums_namespaces_and_parameter_properties_are_made_into_code() {
        let enumeration = code("export enum Color { Red = 'red', Blue = 1 }");
        assert!(enumeration.contains("Color[\"Red\"] = \"red\""), "{enumeration}");
        let namespace = code("export namespace A { export const b = 1; }");
        assert!(namespace.contains("_A.b = 1"), "{namespace}");
        let class = code("export class P { constructor(private readonly x: number) {} }");
        assert!(class.contains("this.x = x"), "{class}");
    }

    #[test]
    fn the_map_names_the_source_and_leads_back_to_its_lines() {
        let stripped = strip("type A = 1;\n\n\nthrow new Error('x');\n", Path::new("src/a.ts"));
        let map: serde_json::Value = serde_json::from_str(&stripped.unwrap().map).unwrap();
        assert_eq!(map["version"], 3);
        assert_eq!(map["sources"], serde_json::json!(["src/a.ts"]));
        // The first token of the output is line 0, column 0 and comes from line 3 of the source.
        assert!(map["mappings"].as_str().unwrap().starts_with("AAGA"), "{map}");
    }

    #[test]
    fn syntax_errors_come_with_their_place() {
        let error = strip("const a = 1;\nconst b = ;\n", Path::new("fn/index.ts")).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("fn/index.ts:2:11: "), "{text}");
        assert!(text.contains(" 2 | const b = ;\n   |           ^"), "{text}");
        assert_eq!(error.syntax_problems().len(), 1);

        for source in ["let a; let a;", "{", "class A { @d x; }", "await = 1; export {}", "`${"] {
            let refused = strip(source, Path::new("a.ts")).unwrap_err();
            assert!(!refused.syntax_problems().is_empty(), "{source}");
        }
    }

    #[test]
    fn the_extension_says_what_the_text_is() {
        let cast = "export const a = <string>b;";
        assert!(strip(cast, Path::new("a.ts")).is_ok());
        assert!(strip(cast, Path::new("a.tsx")).is_err());
        let element = strip("export const a = <b>c</b>;", Path::new("a.tsx")).unwrap().code;
        assert!(element.contains("jsx"), "{element}");
        let common = strip("import a = require('a');\nexport = a;", Path::new("a.cts")).unwrap();
        assert!(common.code.contains("module.exports = a"), "{}", common.code);
        for name in ["a", "a.py", "a.json"] {
            let refused = strip("", Path::new(name));
            assert!(matches!(refused, Err(ScriptError::Extension { .. })), "{name}");
        }
    }

    #[test]
    fn files_are_named_after_what_they_become() {
        let table = [
            ("a/index.ts", Some("a/index.js")),
            ("index.mts", Some("index.mjs")),
            ("index.cts", Some("index.cjs")),
            ("view.tsx", Some("view.js")),
            ("a.test.ts", Some("a.test.js")),
            ("types.d.ts", None),
            ("types.d.mts", None),
            ("index.js", None),
            ("main.py", None),
            ("ts", None),
        ];
        for (from, to) in table {
            assert_eq!(javascript_path(Path::new(from)), to.map(PathBuf::from), "{from}");
        }
    }

    #[test]
    fn hostile_texts_are_errors_or_code_but_never_the_end_of_the_process() {
        let n = stack::NESTING_MAX - 2;
        let too_deep = strip(&"[".repeat(10_000), Path::new("a.ts"));
        assert!(matches!(too_deep, Err(ScriptError::TooDeep { .. })));
        let deep = [
            "[".repeat(n),
            format!("x = {}{}", "[".repeat(n), "]".repeat(n)),
            format!("x = {}1{}", "(".repeat(n), ")".repeat(n)),
            "{".repeat(n),
            format!("x = {}1", "!".repeat(n)),
            format!("x = {}1", "a=>".repeat(n)),
            format!("x = {}1", "typeof ".repeat(n)),
            format!("x = {}1", "a?".repeat(n)),
            format!("x = {}1", "1+".repeat(n)),
            format!("{};", "if(a)".repeat(n)),
            format!("let x: {}", "A<".repeat(n)),
            format!("x = a{}", "?.b".repeat(n)),
            format!("x = {}", "`${".repeat(n)),
        ];
        for source in deep {
            let start: String = source.chars().take(20).collect();
            let result = strip(&source, Path::new("a.ts"));
            assert!(result.is_ok() || !result.unwrap_err().to_string().is_empty(), "{start}");
        }
        for source in ["", "\0", "\u{feff}", "\u{202e}", "\u{fffd}\u{fffd}\u{1}", "#!"] {
            let result = strip(source, Path::new("a.ts"));
            assert!(result.is_ok() || !result.unwrap_err().to_string().is_empty(), "{source:?}");
        }
        let large = "x;".repeat(SOURCE_BYTES_MAX);
        let refused = strip(&large, Path::new("a.ts"));
        assert!(matches!(refused, Err(ScriptError::TooLarge { .. })));
    }
}
