//! From the syntax tree to the typed expression: names, types and units, all mistakes at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, SelectExpr, SourceInfo, operators};

use super::eval::{Number, Op, Sum, Test, Text};
use super::{DEPTH_MAX, Error, NODES_MAX};
use crate::alerts::subject::{SubjectKind, Unit, ValueKind, Variable};
use crate::alerts::{catalogue, duration};
use crate::name::Name;

/// What a number counts, as far as its writing says.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Measure {
    /// A bare number: it takes the unit of the other side.
    Bare,
    /// A span of time written as such, in seconds until it meets a unit.
    Duration,
    Of(Unit),
}

enum Typed {
    Flag(Test),
    Number(Number, Measure),
    /// With the texts it may be; none for any.
    Text(Text, &'static [&'static str]),
}

struct Check<'a> {
    source: &'a SourceInfo,
    kind: SubjectKind,
    parameters: &'a [String],
    errors: Vec<Error>,
    reads: BTreeSet<u16>,
    nodes: usize,
}

/// The typed expression and the slots it reads.
///
/// # Errors
/// Every mistake, in the order of the text.
pub(super) fn check(
    tree: &IdedExpr,
    source: &SourceInfo,
    kind: SubjectKind,
    parameters: &[String],
) -> Result<(Test, BTreeSet<u16>), Vec<Error>> {
    let mut check = Check {
        source,
        kind,
        parameters,
        errors: Vec::new(),
        reads: BTreeSet::new(),
        nodes: 0,
    };
    let test = check.flag(tree, 1);
    let mut errors = check.errors;
    match test {
        Some(test) if errors.is_empty() && !check.reads.is_empty() => Ok((test, check.reads)),
        _ => {
            if errors.is_empty() {
                errors.push(Error {
                    start: 0,
                    end: source.source.len(),
                    code: "constant",
                    message: Name::new(
                        "条件没有用到任何变量",
                        "the condition reads no variable, so it never changes",
                    ),
                });
            }
            errors.sort_by_key(|error| error.start);
            Err(errors)
        }
    }
}

impl Check<'_> {
    /// An expression that must be true or false.
    fn flag(&mut self, tree: &IdedExpr, depth: usize) -> Option<Test> {
        match self.typed(tree, depth)? {
            Typed::Flag(test) => Some(test),
            Typed::Number(..) => self.wrong(tree, "真假值", "true or false", "数", "a number"),
            Typed::Text(..) => self.wrong(tree, "真假值", "true or false", "文本", "a text"),
        }
    }

    fn number(&mut self, tree: &IdedExpr, depth: usize) -> Option<(Number, Measure)> {
        match self.typed(tree, depth)? {
            Typed::Number(number, measure) => Some((number, measure)),
            Typed::Flag(_) => self.wrong(tree, "数", "a number", "真假值", "true or false"),
            Typed::Text(..) => self.wrong(tree, "数", "a number", "文本", "a text"),
        }
    }

    fn typed(&mut self, tree: &IdedExpr, depth: usize) -> Option<Typed> {
        self.nodes += 1;
        if self.nodes > NODES_MAX || depth > DEPTH_MAX {
            return self.too_big(tree, depth);
        }
        match &tree.expr {
            Expr::Literal(literal) => self.literal(tree, literal),
            Expr::Ident(name) => self.variable(tree, name),
            Expr::Select(select) => self.parameter(tree, select),
            Expr::Call(call) => self.call(tree, call, depth + 1),
            Expr::List(_) => self.unsupported(
                tree,
                "列表只能用在 in 的右边",
                "a list stands only to the right of 'in'",
            ),
            _ => self.unsupported(
                tree,
                "规则语言不支持这种写法",
                "this is not part of the rule language",
            ),
        }
    }

    fn literal(&mut self, tree: &IdedExpr, literal: &LiteralValue) -> Option<Typed> {
        let number = |number: f64| Some(Typed::Number(Number::Literal(number), Measure::Bare));
        match literal {
            LiteralValue::Boolean(known) => Some(Typed::Flag(Test::Literal(*known.inner()))),
            LiteralValue::Double(value) => number(*value.inner()),
            LiteralValue::Int(value) => number(*value.inner() as f64),
            LiteralValue::UInt(value) => number(*value.inner() as f64),
            LiteralValue::String(text) => {
                Some(Typed::Text(Text::Literal(Arc::from(text.inner())), &[]))
            }
            LiteralValue::Bytes(_) => {
                self.unsupported(tree, "没有字节串", "there are no byte strings")
            }
            LiteralValue::Null => self.unsupported(
                tree,
                "没有 null；是否已知用 has(变量)",
                "there is no null; has(variable) asks whether it is known",
            ),
        }
    }

    fn variable(&mut self, tree: &IdedExpr, name: &str) -> Option<Typed> {
        let (slot, variable) = self.slot(tree, name)?;
        Some(match variable.kind {
            ValueKind::Bool => Typed::Flag(Test::Slot(slot)),
            ValueKind::Text => Typed::Text(Text::Slot(slot), variable.texts),
            ValueKind::Number => {
                let measure = match variable.unit {
                    Unit::None => Measure::Bare,
                    unit => Measure::Of(unit),
                };
                Typed::Number(Number::Slot(slot), measure)
            }
        })
    }

    fn slot(&mut self, tree: &IdedExpr, name: &str) -> Option<(u16, &'static Variable)> {
        if let Some((slot, variable)) = catalogue::find(self.kind, name) {
            let slot = u16::try_from(slot).ok()?;
            self.reads.insert(slot);
            return Some((slot, variable));
        }
        let names = catalogue::variables(self.kind).iter().map(|v| v.name);
        let (zh, en) = meant(catalogue::nearest(name, names), "");
        let kind = self.kind.name();
        self.fault(
            tree,
            "unknown_variable",
            format!("{kind} 没有变量“{name}”{zh}"),
            format!("a {kind} has no variable '{name}'{en}"),
        )
    }

    fn parameter(&mut self, tree: &IdedExpr, select: &SelectExpr) -> Option<Typed> {
        if select.operand.expr != Expr::Ident("param".to_owned()) {
            return self.unsupported(
                tree,
                "变量名不带点，只有 param.名称",
                "names have no dots, except param.NAME",
            );
        }
        let name = select.field.as_str();
        let place = self.parameters.iter().position(|known| known == name);
        if let Some(slot) = place.and_then(|place| u16::try_from(place).ok()) {
            return Some(Typed::Number(Number::Parameter(slot), Measure::Bare));
        }
        let names = self.parameters.iter().map(String::as_str);
        let (zh, en) = meant(catalogue::nearest(name, names), "param.");
        self.fault(
            tree,
            "unknown_parameter",
            format!("规则没有参数“{name}”{zh}"),
            format!("the rule has no parameter '{name}'{en}"),
        )
    }

    fn call(&mut self, tree: &IdedExpr, call: &CallExpr, depth: usize) -> Option<Typed> {
        let args = call.args.as_slice();
        let name = call.func_name.as_str();
        if call.target.is_none() {
            if let (Some(op), [left, right]) = (comparison(name), args) {
                return self.compare(tree, op, left, right, depth).map(Typed::Flag);
            }
            if let (Some(sum), [left, right]) = (arithmetic(name), args) {
                return self.sum(tree, sum, left, right, depth);
            }
            match (name, args) {
                (operators::LOGICAL_AND, [left, right]) => {
                    return self
                        .both(left, right, depth)
                        .map(|b| Typed::Flag(Test::And(b)));
                }
                (operators::LOGICAL_OR, [left, right]) => {
                    return self
                        .both(left, right, depth)
                        .map(|b| Typed::Flag(Test::Or(b)));
                }
                (operators::LOGICAL_NOT, [arg]) => {
                    let test = self.flag(arg, depth)?;
                    return Some(Typed::Flag(Test::Not(Box::new(test))));
                }
                (operators::NEGATE, [arg]) => {
                    let (number, measure) = self.number(arg, depth)?;
                    return Some(Typed::Number(Number::Negative(Box::new(number)), measure));
                }
                (operators::IN, [item, list]) => {
                    return self.contains(item, list, depth).map(Typed::Flag);
                }
                (operators::CONDITIONAL, [test, yes, no]) => {
                    return self.choice(tree, [test, yes, no], depth);
                }
                ("has", [arg]) => return self.known(arg).map(Typed::Flag),
                ("duration", [arg]) => return self.duration(arg),
                _ => {}
            }
        }
        let zh =
            format!("规则语言里没有“{name}”；可用 && || ! 比较 四则运算 in ? : has() duration()");
        let en = format!(
            "'{name}' is not part of the rule language, which has && || ! comparisons + - * / in ?: has() duration()"
        );
        self.fault(tree, "unsupported", zh, en)
    }

    /// Both sides are checked whatever the first comes to, so that all mistakes are found.
    fn both(
        &mut self,
        left: &IdedExpr,
        right: &IdedExpr,
        depth: usize,
    ) -> Option<Box<(Test, Test)>> {
        let left = self.flag(left, depth);
        let right = self.flag(right, depth);
        Some(Box::new((left?, right?)))
    }

    fn compare(
        &mut self,
        tree: &IdedExpr,
        op: Op,
        left: &IdedExpr,
        right: &IdedExpr,
        depth: usize,
    ) -> Option<Test> {
        let (a, b) = (self.typed(left, depth), self.typed(right, depth));
        match (a?, b?) {
            (Typed::Number(a, of_a), Typed::Number(b, of_b)) => {
                let (a, b, _) = self.meet(tree, (a, of_a), (b, of_b))?;
                Some(Test::Numbers(op, Box::new((a, b))))
            }
            (Typed::Text(..) | Typed::Flag(_), Typed::Text(..) | Typed::Flag(_))
                if !matches!(op, Op::Equal | Op::Unequal) =>
            {
                self.fault(
                    tree,
                    "type",
                    "文本和真假值只能比较 == 和 !=",
                    "texts and truth values compare with == and != only",
                )
            }
            (Typed::Text(a, of_a), Typed::Text(b, of_b)) => {
                self.one_of(right, &b, of_a)?;
                self.one_of(left, &a, of_b)?;
                Some(Test::Texts(op, a, b))
            }
            (Typed::Flag(a), Typed::Flag(b)) => Some(Test::Flags(op, Box::new((a, b)))),
            _ => self.fault(
                tree,
                "type",
                "两边的类型不同：数、文本、真假值之间不能比较",
                "a number, a text and a truth value cannot be compared with each other",
            ),
        }
    }

    /// Brings two numbers to one unit.
    fn meet(
        &mut self,
        tree: &IdedExpr,
        (a, of_a): (Number, Measure),
        (b, of_b): (Number, Measure),
    ) -> Option<(Number, Number, Measure)> {
        use Measure::{Bare, Duration, Of};
        match (of_a, of_b) {
            (Bare, Bare) => Some((a, b, Bare)),
            (Duration, Bare | Duration) | (Bare, Duration) => Some((a, b, Of(Unit::Secs))),
            (Of(unit), Bare) | (Bare, Of(unit)) => Some((a, b, Of(unit))),
            (Of(x), Of(y)) if x == y => Some((a, b, Of(x))),
            (Of(unit), Duration) if per_second(unit).is_some() => {
                Some((a, scaled(b, unit), Of(unit)))
            }
            (Duration, Of(unit)) if per_second(unit).is_some() => {
                Some((scaled(a, unit), b, Of(unit)))
            }
            (a, b) => {
                let (a, b) = (unit_of(a), unit_of(b));
                self.fault(
                    tree,
                    "unit",
                    format!("单位不同：{}与{}", a.0, b.0),
                    format!("the units differ: {} and {}", a.1, b.1),
                )
            }
        }
    }

    fn sum(
        &mut self,
        tree: &IdedExpr,
        sum: Sum,
        left: &IdedExpr,
        right: &IdedExpr,
        depth: usize,
    ) -> Option<Typed> {
        let (a, b) = (self.number(left, depth), self.number(right, depth));
        let (a, b) = (a?, b?);
        let (a, b, measure) = match sum {
            Sum::Add | Sum::Subtract => self.meet(tree, a, b)?,
            Sum::Multiply | Sum::Divide => {
                let measure = product(sum, a.1, b.1);
                (a.0, b.0, measure)
            }
        };
        Some(Typed::Number(Number::Sum(sum, Box::new((a, b))), measure))
    }

    fn choice(&mut self, tree: &IdedExpr, three: [&IdedExpr; 3], depth: usize) -> Option<Typed> {
        let test = self.flag(three[0], depth);
        let (yes, no) = (self.typed(three[1], depth), self.typed(three[2], depth));
        match (test?, yes?, no?) {
            (test, Typed::Flag(yes), Typed::Flag(no)) => {
                Some(Typed::Flag(Test::Choice(Box::new((test, yes, no)))))
            }
            (test, Typed::Number(yes, of_yes), Typed::Number(no, of_no)) => {
                let (yes, no, measure) = self.meet(tree, (yes, of_yes), (no, of_no))?;
                let choice = Number::Choice(Box::new((test, yes, no)));
                Some(Typed::Number(choice, measure))
            }
            _ => self.fault(
                tree,
                "type",
                "? : 的两个分支必须都是数或都是真假值",
                "both branches of ?: are numbers, or both are true or false",
            ),
        }
    }

    fn contains(&mut self, item: &IdedExpr, list: &IdedExpr, depth: usize) -> Option<Test> {
        let item_typed = self.typed(item, depth);
        let Expr::List(elements) = &list.expr else {
            return self.unsupported(
                list,
                "in 的右边是列表，如 [\"a\", \"b\"]",
                "'in' takes a list, such as [\"a\", \"b\"]",
            );
        };
        self.nodes += 1;
        let elements: Vec<(&IdedExpr, Option<Typed>)> = elements
            .elements
            .iter()
            .map(|element| (element, self.typed(element, depth + 1)))
            .collect();
        match item_typed? {
            Typed::Number(number, _) => {
                let mut numbers = Vec::new();
                for (element, typed) in elements {
                    match typed? {
                        Typed::Number(Number::Literal(number), _) => numbers.push(number),
                        Typed::Number(Number::Negative(inner), _) => match *inner {
                            Number::Literal(number) => numbers.push(-number),
                            _ => return self.plain(element),
                        },
                        _ => return self.plain(element),
                    }
                }
                Some(Test::NumberIn(Box::new(number), numbers.into()))
            }
            Typed::Text(text, texts) => {
                let mut literals = Vec::new();
                for (element, typed) in elements {
                    let Typed::Text(Text::Literal(literal), _) = typed? else {
                        return self.plain(element);
                    };
                    self.one_of(element, &Text::Literal(literal.clone()), texts);
                    literals.push(literal);
                }
                Some(Test::TextIn(text, literals.into()))
            }
            Typed::Flag(_) => self.wrong(
                item,
                "数或文本",
                "a number or a text",
                "真假值",
                "true or false",
            ),
        }
    }

    fn plain<T>(&mut self, element: &IdedExpr) -> Option<T> {
        self.fault(
            element,
            "type",
            "列表里只能写与左边同类的数或文本",
            "a list holds plain numbers or texts, as what it is compared with",
        )
    }

    fn known(&mut self, arg: &IdedExpr) -> Option<Test> {
        self.nodes += 1;
        match &arg.expr {
            Expr::Ident(name) => self.slot(arg, name).map(|(slot, _)| Test::Known(slot)),
            _ => self.unsupported(
                arg,
                "has() 里写一个变量名",
                "has() takes the name of a variable",
            ),
        }
    }

    fn duration(&mut self, arg: &IdedExpr) -> Option<Typed> {
        self.nodes += 1;
        let written = match &arg.expr {
            Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
            _ => None,
        };
        match written.and_then(|text| Some((text, duration::parse_ms(text)?))) {
            Some((text, ms)) => {
                let number = Number::Duration(ms as f64 / 1000.0, Arc::from(text));
                Some(Typed::Number(number, Measure::Duration))
            }
            None => self.fault(
                arg,
                "type",
                "时长写作 \"30s\"、\"5m\"、\"1h30m\"",
                "a duration is written \"30s\", \"5m\" or \"1h30m\"",
            ),
        }
    }

    /// A text compared with a variable must be one that the variable may take.
    fn one_of(
        &mut self,
        tree: &IdedExpr,
        text: &Text,
        texts: &'static [&'static str],
    ) -> Option<()> {
        let Text::Literal(literal) = text else {
            return Some(());
        };
        if texts.is_empty() || texts.contains(&literal.as_ref()) {
            return Some(());
        }
        let (zh, en) = meant(catalogue::nearest(literal, texts.iter().copied()), "");
        let all = texts.join(", ");
        self.fault(
            tree,
            "unknown_text",
            format!("不会是“{literal}”{zh}；可为：{all}"),
            format!("it is never '{literal}'{en}; it is one of {all}"),
        )
    }

    fn wrong<T>(
        &mut self,
        tree: &IdedExpr,
        wanted_zh: &str,
        wanted_en: &str,
        found_zh: &str,
        found_en: &str,
    ) -> Option<T> {
        self.fault(
            tree,
            "type",
            format!("此处应为{wanted_zh}，实为{found_zh}"),
            format!("{wanted_en} is expected here, this is {found_en}"),
        )
    }

    fn unsupported<T>(&mut self, tree: &IdedExpr, zh: &str, en: &str) -> Option<T> {
        self.fault(tree, "unsupported", zh, en)
    }

    fn too_big<T>(&mut self, tree: &IdedExpr, depth: usize) -> Option<T> {
        let code = if depth > DEPTH_MAX {
            "too_deep"
        } else {
            "too_many_nodes"
        };
        // Once is enough: every further part would say it again.
        if self.errors.iter().any(|error| error.code == code) {
            return None;
        }
        match code {
            "too_deep" => self.fault(
                tree,
                code,
                format!("嵌套最多 {DEPTH_MAX} 层"),
                format!("a condition nests at most {DEPTH_MAX} deep"),
            ),
            _ => self.fault(
                tree,
                code,
                format!("条件最多 {NODES_MAX} 个运算、变量和数"),
                format!("a condition has at most {NODES_MAX} operators, names and numbers"),
            ),
        }
    }

    fn fault<T>(
        &mut self,
        tree: &IdedExpr,
        code: &'static str,
        zh: impl Into<String>,
        en: impl Into<String>,
    ) -> Option<T> {
        let (start, end) = self.span(tree);
        self.errors.push(Error {
            start,
            end,
            code,
            message: Name::new(zh, en),
        });
        None
    }

    /// The bytes of an expression: from its first token to its last.
    fn span(&self, tree: &IdedExpr) -> (usize, usize) {
        let own = self.source.offset_for(tree.id);
        let mut span = own.map_or((usize::MAX, 0), |(start, stop)| {
            (start as usize, stop as usize + 1)
        });
        let mut widen = |(start, end): (usize, usize)| {
            span = (span.0.min(start), span.1.max(end));
        };
        match &tree.expr {
            Expr::Call(call) => {
                // The token of a function's call is its bracket; the name stands before it.
                if call.func_name.starts_with(char::is_alphabetic)
                    && let Some((bracket, _)) = own
                {
                    let start = (bracket as usize).saturating_sub(call.func_name.len());
                    widen((start, bracket as usize + 1));
                }
                call.target
                    .iter()
                    .for_each(|target| widen(self.span(target)));
                call.args.iter().for_each(|arg| widen(self.span(arg)));
            }
            Expr::Select(select) => {
                let (start, _) = self.span(&select.operand);
                let dot = own.map_or(start, |(dot, _)| dot as usize);
                widen((start, dot + 1 + select.field.len()));
            }
            Expr::List(list) => list.elements.iter().for_each(|one| widen(self.span(one))),
            _ => {}
        }
        let text = self.source.source.as_str();
        let (start, mut end) = (span.0.min(text.len()), span.1.min(text.len()));
        let called = matches!(&tree.expr, Expr::Call(call) if call.func_name.starts_with(char::is_alphabetic));
        if called && let Some(bracket) = text.get(end..).and_then(|rest| rest.find(')')) {
            end += bracket + 1;
        }
        (start, end)
    }
}

fn meant(nearest: Option<&str>, before: &str) -> (String, String) {
    nearest.map_or_else(Default::default, |name| {
        (
            format!("，是否指 {before}{name}？"),
            format!(", did you mean {before}{name}?"),
        )
    })
}

fn comparison(name: &str) -> Option<Op> {
    Some(match name {
        operators::LESS => Op::Less,
        operators::LESS_EQUALS => Op::AtMost,
        operators::GREATER => Op::More,
        operators::GREATER_EQUALS => Op::AtLeast,
        operators::EQUALS => Op::Equal,
        operators::NOT_EQUALS => Op::Unequal,
        _ => return None,
    })
}

fn arithmetic(name: &str) -> Option<Sum> {
    Some(match name {
        operators::ADD => Sum::Add,
        operators::SUBSTRACT => Sum::Subtract,
        operators::MULTIPLY => Sum::Multiply,
        operators::DIVIDE => Sum::Divide,
        _ => return None,
    })
}

/// What one second is in a unit of time.
const fn per_second(unit: Unit) -> Option<f64> {
    match unit {
        Unit::Ms => Some(1000.0),
        Unit::Secs => Some(1.0),
        Unit::Minutes => Some(1.0 / 60.0),
        Unit::Hours => Some(1.0 / 3600.0),
        _ => None,
    }
}

/// Seconds, told in another unit of time.
fn scaled(seconds: Number, unit: Unit) -> Number {
    let factor = per_second(unit).unwrap_or(1.0);
    match seconds {
        Number::Duration(seconds, written) => Number::Duration(seconds * factor, written),
        other => Number::Sum(Sum::Multiply, Box::new((other, Number::Literal(factor)))),
    }
}

/// The unit of a product or quotient. People and bare numbers leave the other side's unit as it is;
/// equal units divide to a bare number; what else comes out has no name and is taken as bare.
fn product(sum: Sum, a: Measure, b: Measure) -> Measure {
    let plain = |measure| matches!(measure, Measure::Bare | Measure::Of(Unit::Count));
    match (sum, a, b) {
        (Sum::Divide, a, b) if a == b => Measure::Bare,
        (_, a, Measure::Bare) => a,
        (Sum::Multiply, Measure::Bare, b) => b,
        (_, a, b) if plain(b) => a,
        (Sum::Multiply, a, b) if plain(a) => b,
        _ => Measure::Bare,
    }
}

const fn unit_of(measure: Measure) -> (&'static str, &'static str) {
    match measure {
        Measure::Bare => ("无单位", "a bare number"),
        Measure::Duration => ("时长", "a duration"),
        Measure::Of(unit) => unit.words(),
    }
}
