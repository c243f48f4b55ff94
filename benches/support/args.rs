//! The command line: flags and values by name, nothing positional.

use std::process::exit;
use std::str::FromStr;

pub(crate) struct Args {
    usage: &'static str,
    rest: Vec<String>,
}

impl Args {
    /// Answers `--help` at once. `--bench` is what cargo adds to every benchmark's arguments.
    pub(crate) fn read(usage: &'static str) -> Self {
        let rest: Vec<String> = std::env::args()
            .skip(1)
            .filter(|a| a != "--bench")
            .collect();
        if rest.iter().any(|a| a == "--help" || a == "-h") {
            println!("{usage}");
            exit(0);
        }
        Self { usage, rest }
    }

    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let before = self.rest.len();
        self.rest.retain(|a| a != name);
        self.rest.len() < before
    }

    pub(crate) fn value<T: FromStr>(&mut self, name: &str) -> Option<T> {
        let at = self.rest.iter().position(|a| a == name)?;
        if at + 1 >= self.rest.len() {
            self.refuse(&format!("{name} needs a value"));
        }
        let text = self.rest.remove(at + 1);
        self.rest.remove(at);
        match text.parse() {
            Ok(value) => Some(value),
            Err(_) => self.refuse(&format!("{name}: cannot read {text:?}")),
        }
    }

    /// A list with commas: `1,8,64`.
    pub(crate) fn list<T: FromStr>(&mut self, name: &str) -> Option<Vec<T>> {
        let text: String = self.value(name)?;
        match text.split(',').map(str::parse).collect() {
            Ok(list) => Some(list),
            Err(_) => self.refuse(&format!("{name}: cannot read {text:?}")),
        }
    }

    /// Whatever is left was not understood.
    pub(crate) fn finish(self) {
        if let Some(unknown) = self.rest.first() {
            self.refuse(&format!("unknown argument {unknown:?}"));
        }
    }

    pub(crate) fn refuse(&self, why: &str) -> ! {
        eprintln!("{why}\n\n{}", self.usage);
        exit(2)
    }
}
