//! Builds the tree of a template, with the rules and the words of Go's parser.

use super::{
    ast::{Branch, Command, Node, Operand, Pipe, Term, is_blank},
    lexer::{Keyword, Kind, Token, Tokens, tokens},
    literal::{Number, unquoted},
};
use crate::render::go::{
    advice::missing_function,
    format::quoted,
    functions::{self, Function},
    runes::{Bytes, lossy},
};

/// The deepest nesting of actions and parentheses. Each `else if` counts.
const MAX_DEPTH: usize = 100;

/// What a file or a text defines.
#[derive(Debug)]
pub(in crate::render::go) struct Definition {
    pub(in crate::render::go) name: String,
    pub(in crate::render::go) body: Vec<Node>,
}

#[derive(Debug, PartialEq, Eq)]
pub(in crate::render::go) struct SyntaxError {
    /// The offset in the source.
    pub(in crate::render::go) at: usize,
    pub(in crate::render::go) message: String,
}

type Parsed<T> = Result<T, SyntaxError>;

/// Parses `source`. Its own body is one of the definitions, under `name`.
pub(in crate::render::go) fn parse(name: &str, source: &str) -> Parsed<Vec<Definition>> {
    let Tokens { list, error } = tokens(source);
    let mut parser = Parser {
        tokens: list,
        lex_error: error,
        next: 0,
        variables: vec!["$".to_owned()],
        open_ranges: 0,
        depth: 0,
        definitions: Vec::new(),
    };
    parser.file(name)?;
    Ok(parser.definitions)
}

struct Parser<'s> {
    tokens: Vec<Token<'s>>,
    lex_error: String,
    /// The index of the next token.
    next: usize,
    /// The declared variables, the innermost last.
    variables: Vec<String>,
    open_ranges: usize,
    depth: usize,
    definitions: Vec<Definition>,
}

/// What ends a list of nodes, or one more node.
enum Item {
    Node(Node),
    Else,
    End,
}

/// The word before the pipe of a branch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Control {
    If,
    With,
    Range,
}

impl Control {
    fn word(self) -> &'static str {
        match self {
            Self::If => "if",
            Self::With => "with",
            Self::Range => "range",
        }
    }

    fn node(self, branch: Branch) -> Node {
        match self {
            Self::If => Node::If(branch),
            Self::With => Node::With(branch),
            Self::Range => Node::Range(branch),
        }
    }
}

impl<'s> Parser<'s> {
    fn file(&mut self, name: &str) -> Parsed<()> {
        let mut body = Vec::new();
        while self.peek().kind != Kind::End {
            let start = self.next;
            let is_action = self.advance().kind == Kind::Left;
            if is_action && self.advance_past_space().kind == Kind::Keyword(Keyword::Define) {
                self.definition()?;
                continue;
            }
            self.next = start;
            match self.text_or_action()? {
                Item::Node(node) => body.push(node),
                Item::Else => return self.error("unexpected {{else}}"),
                Item::End => return self.error("unexpected {{end}}"),
            }
        }
        self.define(name.to_owned(), body)
    }

    fn definition(&mut self) -> Parsed<()> {
        let name = self.template_name("define clause")?;
        self.expect(Kind::Right, "define clause")?;
        let body = self.template_body("define clause")?;
        self.define(name, body)
    }

    /// A body with its own variables, up to its `{{end}}`.
    fn template_body(&mut self, context: &str) -> Parsed<Vec<Node>> {
        let variables = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let open_ranges = std::mem::take(&mut self.open_ranges);
        let (body, end) = self.list()?;
        if matches!(end, Item::Else) {
            return self.error(format!("unexpected {{{{else}}}} in {context}"));
        }
        self.variables = variables;
        self.open_ranges = open_ranges;
        Ok(body)
    }

    fn define(&mut self, name: String, body: Vec<Node>) -> Parsed<()> {
        match self.definitions.iter_mut().find(|definition| definition.name == name) {
            None => self.definitions.push(Definition { name, body }),
            Some(old) if is_blank(&old.body) => old.body = body,
            Some(_) if is_blank(&body) => {}
            Some(_) => {
                return self.error(format!("template: multiple definition of template {}", quoted(&name)));
            }
        }
        Ok(())
    }

    fn list(&mut self) -> Parsed<(Vec<Node>, Item)> {
        self.descend()?;
        let mut nodes = Vec::new();
        while self.peek_past_space().kind != Kind::End {
            match self.text_or_action()? {
                Item::Node(node) => nodes.push(node),
                end => {
                    self.depth -= 1;
                    return Ok((nodes, end));
                }
            }
        }
        self.next += 1;
        self.error("unexpected EOF")
    }

    fn text_or_action(&mut self) -> Parsed<Item> {
        let token = self.advance_past_space();
        match token.kind {
            Kind::Text => Ok(Item::Node(Node::Text(token.text.to_owned()))),
            Kind::Left => self.action(),
            _ => self.unexpected(token, "input"),
        }
    }

    fn action(&mut self) -> Parsed<Item> {
        let token = self.advance_past_space();
        let Kind::Keyword(keyword) = token.kind else { return self.plain_action() };
        Ok(Item::Node(match keyword {
            Keyword::Block => self.block()?,
            Keyword::Break => self.jump("{{break}}", Node::Break)?,
            Keyword::Continue => self.jump("{{continue}}", Node::Continue)?,
            Keyword::Else => {
                let is_branch =
                    matches!(self.peek_past_space().kind, Kind::Keyword(Keyword::If | Keyword::With));
                if !is_branch {
                    self.expect(Kind::Right, "else")?;
                }
                return Ok(Item::Else);
            }
            Keyword::End => {
                self.expect(Kind::Right, "end")?;
                return Ok(Item::End);
            }
            Keyword::If => self.branch(Control::If)?,
            Keyword::Range => self.branch(Control::Range)?,
            Keyword::With => self.branch(Control::With)?,
            Keyword::Template => self.template()?,
            Keyword::Define | Keyword::Nil => return self.plain_action(),
        }))
    }

    fn plain_action(&mut self) -> Parsed<Item> {
        self.next -= 1;
        Ok(Item::Node(Node::Action(self.pipe("command", Kind::Right)?)))
    }

    /// `{{block "name" pipe}} body {{end}}` defines a template and calls it.
    fn block(&mut self) -> Parsed<Node> {
        let at = self.peek_past_space().at;
        let name = self.template_name("block clause")?;
        let argument = self.pipe("block clause", Kind::Right)?;
        let body = self.template_body("block clause")?;
        self.define(name.clone(), body)?;
        Ok(Node::Template { at, name, argument: Some(argument) })
    }

    fn template(&mut self) -> Parsed<Node> {
        let at = self.peek_past_space().at;
        let name = self.template_name("template clause")?;
        let argument = if self.advance_past_space().kind == Kind::Right {
            None
        } else {
            self.next -= 1;
            Some(self.pipe("template clause", Kind::Right)?)
        };
        Ok(Node::Template { at, name, argument })
    }

    fn template_name(&mut self, context: &str) -> Parsed<String> {
        let token = self.advance_past_space();
        match token.kind {
            Kind::QuotedText | Kind::RawText => {
                let name = self.unquoted(token)?;
                Ok(lossy(name.to_vec()))
            }
            _ => self.unexpected(token, context),
        }
    }

    fn jump(&mut self, action: &str, node: Node) -> Parsed<Node> {
        let token = self.advance_past_space();
        if token.kind != Kind::Right {
            return self.unexpected(token, action);
        }
        if self.open_ranges == 0 {
            return self.error(format!("{action} outside {{{{range}}}}"));
        }
        Ok(node)
    }

    fn branch(&mut self, control: Control) -> Parsed<Node> {
        let declared = self.variables.len();
        let pipe = self.pipe(control.word(), Kind::Right)?;
        let is_range = usize::from(control == Control::Range);
        self.open_ranges += is_range;
        let (body, end) = self.list()?;
        self.open_ranges -= is_range;
        let otherwise = if matches!(end, Item::Else) { self.otherwise(control)? } else { Vec::new() };
        self.variables.truncate(declared);
        Ok(control.node(Branch { pipe, body, otherwise }))
    }

    /// The nodes after `{{else`, up to the `{{end}}` of the branch.
    fn otherwise(&mut self, control: Control) -> Parsed<Vec<Node>> {
        let continues = match self.peek().kind {
            Kind::Keyword(Keyword::If) => control == Control::If,
            Kind::Keyword(Keyword::With) => control == Control::With,
            _ => false,
        };
        if continues {
            self.next += 1;
            self.descend()?;
            let branch = self.branch(control)?;
            self.depth -= 1;
            return Ok(vec![branch]);
        }
        let (nodes, end) = self.list()?;
        if matches!(end, Item::Else) {
            return self.error("expected end; found {{else}}");
        }
        Ok(nodes)
    }

    fn pipe(&mut self, context: &str, end: Kind) -> Parsed<Pipe> {
        self.descend()?;
        let at = self.peek_past_space().at;
        let mut pipe = Pipe { at, variables: Vec::new(), is_assignment: false, commands: Vec::new() };
        self.declarations(&mut pipe, context)?;
        loop {
            let token = self.advance_past_space();
            if token.kind == end {
                break;
            }
            if !begins_operand(token.kind) {
                return self.unexpected(token, context);
            }
            self.next -= 1;
            pipe.commands.push(self.command()?);
        }
        if pipe.commands.is_empty() {
            return self.error(format!("missing value for {context}"));
        }
        for (index, command) in pipe.commands.iter().enumerate().skip(1) {
            let term = &command.operand.term;
            if matches!(term, Term::Bool(_) | Term::Dot | Term::Nil | Term::Number(_) | Term::Text { .. }) {
                return self.error(format!("non executable command in pipeline stage {}", index + 1));
            }
        }
        self.depth -= 1;
        Ok(pipe)
    }

    /// `$x :=`, `$x =`, and after `range` also `$x, $y :=`.
    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Parsed<()> {
        while self.peek_past_space().kind == Kind::Variable {
            let start = self.next;
            let variable = self.advance().text;
            let sign = self.peek_past_space();
            let is_comma = sign.kind == Kind::Char && sign.text == ",";
            if !is_comma && !matches!(sign.kind, Kind::Assign | Kind::Declare) {
                self.next = start;
                return Ok(());
            }
            self.next += 1;
            pipe.variables.push(variable.to_owned());
            self.variables.push(variable.to_owned());
            if !is_comma {
                pipe.is_assignment = sign.kind == Kind::Assign;
                return Ok(());
            }
            if context != "range" || pipe.variables.len() > 1 {
                return self.error(format!("too many declarations in {context}"));
            }
            if !matches!(self.peek_past_space().kind, Kind::Variable | Kind::Right | Kind::RightParen) {
                return self.error("range can only initialize variables");
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Parsed<Command> {
        let at = self.peek_past_space().at;
        let mut operands = Vec::new();
        loop {
            self.peek_past_space();
            operands.extend(self.operand()?);
            let token = self.advance();
            match token.kind {
                Kind::Space => {}
                Kind::Right | Kind::RightParen => {
                    self.next -= 1;
                    break;
                }
                Kind::Pipe => break,
                _ => return self.unexpected(token, "operand"),
            }
        }
        let mut operands = operands.into_iter();
        let Some(operand) = operands.next() else { return self.error("empty command") };
        Ok(Command { at, operand, arguments: operands.collect() })
    }

    /// A term with the fields after it. `None` if no term begins here.
    fn operand(&mut self) -> Parsed<Option<Operand>> {
        let Some(operand) = self.term()? else { return Ok(None) };
        if self.peek().kind != Kind::Field {
            return Ok(Some(operand));
        }
        let at = self.peek().at;
        let mut more = Vec::new();
        while self.peek().kind == Kind::Field {
            more.push(field_name(self.advance()));
        }
        let term = match operand.term {
            Term::Field(mut fields) => {
                fields.extend(more);
                Term::Field(fields)
            }
            Term::Variable { name, mut fields } => {
                fields.extend(more);
                Term::Variable { name, fields }
            }
            Term::Bool(_) | Term::Text { .. } | Term::Number(_) | Term::Nil | Term::Dot => {
                return self.error(format!("unexpected . after term {}", quoted(&operand.to_string())));
            }
            Term::Function(_) | Term::Pipe(_) | Term::Chain { .. } => {
                Term::Chain { base: Box::new(operand), fields: more }
            }
        };
        Ok(Some(Operand { at, term }))
    }

    fn term(&mut self) -> Parsed<Option<Operand>> {
        let token = self.advance_past_space();
        let term = match token.kind {
            Kind::Identifier => Term::Function(self.function(token)?),
            Kind::Dot => Term::Dot,
            Kind::Keyword(Keyword::Nil) => Term::Nil,
            Kind::Bool => Term::Bool(token.text == "true"),
            Kind::Variable => {
                if !self.variables.iter().any(|name| name == token.text) {
                    return self.error(format!("undefined variable {}", quoted(token.text)));
                }
                Term::Variable { name: token.text.to_owned(), fields: Vec::new() }
            }
            Kind::Field => Term::Field(vec![field_name(token)]),
            Kind::Number => Term::Number(self.number(token, Number::read)?),
            Kind::CharConstant => Term::Number(self.number(token, Number::of_char)?),
            Kind::LeftParen => Term::Pipe(Box::new(self.pipe("parenthesized pipeline", Kind::RightParen)?)),
            Kind::QuotedText | Kind::RawText => {
                Term::Text { literal: token.text.to_owned(), value: self.unquoted(token)? }
            }
            _ => {
                self.next -= 1;
                return Ok(None);
            }
        };
        Ok(Some(Operand { at: token.at, term }))
    }

    fn function(&self, token: Token<'_>) -> Parsed<&'static Function> {
        match functions::function(token.text) {
            Some(function) => Ok(function),
            None => {
                let advice = missing_function(token.text);
                self.error(format!("function {} not defined{advice}", quoted(token.text)))
            }
        }
    }

    fn number(&self, token: Token<'_>, read: fn(&str) -> Result<Number, String>) -> Parsed<Number> {
        read(token.text).map_err(|message| SyntaxError { at: token.at, message })
    }

    fn unquoted(&self, token: Token<'_>) -> Parsed<Bytes> {
        unquoted(token.text).ok_or_else(|| SyntaxError { at: token.at, message: "invalid syntax".to_owned() })
    }

    fn descend(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.error(format!("the template is nested more than {MAX_DEPTH} levels deep"));
        }
        Ok(())
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Parsed<()> {
        let token = self.advance_past_space();
        if token.kind == kind { Ok(()) } else { self.unexpected(token, context) }
    }

    /// The next token. After the last one it stays the last one.
    fn peek(&self) -> Token<'s> {
        let token = self.tokens.get(self.next).or(self.tokens.last());
        token.copied().unwrap_or(Token { kind: Kind::End, at: 0, text: "" })
    }

    fn advance(&mut self) -> Token<'s> {
        let token = self.peek();
        self.next += 1;
        token
    }

    fn peek_past_space(&mut self) -> Token<'s> {
        while self.peek().kind == Kind::Space {
            self.next += 1;
        }
        self.peek()
    }

    fn advance_past_space(&mut self) -> Token<'s> {
        self.peek_past_space();
        self.advance()
    }

    /// An error at the last token that was read.
    fn error<T>(&self, message: impl Into<String>) -> Parsed<T> {
        let last = self.next.saturating_sub(1).min(self.tokens.len().saturating_sub(1));
        let at = self.tokens.get(last).map_or(0, |token| token.at);
        Err(SyntaxError { at, message: message.into() })
    }

    fn unexpected<T>(&self, token: Token<'_>, context: &str) -> Parsed<T> {
        const SHOWN_CHARS: usize = 10;
        let found = match token.kind {
            Kind::Error => return Err(SyntaxError { at: token.at, message: self.lex_error.clone() }),
            Kind::End => "EOF".to_owned(),
            Kind::Keyword(_) | Kind::Dot => format!("<{}>", token.text),
            _ if token.text.len() > SHOWN_CHARS => {
                let start: String = token.text.chars().take(SHOWN_CHARS).collect();
                format!("{}...", quoted(&start))
            }
            _ => quoted(token.text),
        };
        Err(SyntaxError { at: token.at, message: format!("unexpected {found} in {context}") })
    }
}

fn begins_operand(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Bool
            | Kind::CharConstant
            | Kind::Dot
            | Kind::Field
            | Kind::Identifier
            | Kind::Number
            | Kind::Keyword(Keyword::Nil)
            | Kind::RawText
            | Kind::QuotedText
            | Kind::Variable
            | Kind::LeftParen
    )
}

/// The name of a field without its dot.
fn field_name(token: Token<'_>) -> String {
    token.text.trim_start_matches('.').to_owned()
}
