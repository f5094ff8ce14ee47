//! Compares generated templates with `amtool`.
//!
//! The usual run always has the same templates. `WECOM_RELAY_GO_TEMPLATES=5000` compares other ones, so many of each kind.
//! `WECOM_RELAY_GO_SEED=…` repeats such a run.

mod literals;
mod operands;
mod templates;

use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use self::literals::Text;
use super::amtool::{Amtool, Difference};

/// Templates for one run of `amtool`.
const BATCH: usize = 40;
/// Attempts to make a template with a difference shorter.
const MAX_SHRINKS: usize = 150;

/// The templates of a run, and the seed of their randomness.
struct Run {
    templates: usize,
    seed: u64,
}

impl Run {
    /// The run that the environment asks for, or one of `usual` templates.
    fn of_environment(usual: usize) -> Self {
        let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
        let templates = number("WECOM_RELAY_GO_TEMPLATES");
        let seed = number("WECOM_RELAY_GO_SEED");
        Self {
            seed: seed.unwrap_or(if templates.is_some() { std::process::id().into() } else { 1 }),
            templates: templates.map_or(usual, |templates| usize::try_from(templates).unwrap()),
        }
    }

    #[expect(clippy::print_stderr, reason = "the seed is needed to repeat the run")]
    fn report(&self, rendered: usize, differences: usize) {
        let Self { templates, seed } = self;
        eprintln!(
            "{rendered} of {templates} templates render, {differences} differ; WECOM_RELAY_GO_SEED={seed} \
             WECOM_RELAY_GO_TEMPLATES={templates} repeats the run"
        );
    }
}

/// Compares the templates that `strategy` generates, and shows all different ones in a short form.
fn compare(usual: usize, strategy: &Text) {
    let Some(amtool) = Amtool::find("Asia/Shanghai") else { return };
    let run = Run::of_environment(usual);
    let mut seed = [0; 32];
    for (to, from) in seed.iter_mut().zip(run.seed.to_le_bytes()) {
        *to = from;
    }
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    let (mut rendered, mut differences) = (0, Vec::new());
    for _ in 0..run.templates.div_ceil(BATCH) {
        let mut trees: Vec<_> = (0..BATCH).map(|_| strategy.new_tree(&mut runner).unwrap()).collect();
        let templates: Vec<String> = trees.iter().map(ValueTree::current).collect();
        rendered += templates.iter().filter(|template| super::rendered(template).is_ok()).count();
        for (tree, found) in trees.iter_mut().zip(amtool.differences(&templates)) {
            differences.extend(found.map(|found| shortened(&amtool, tree.as_mut(), found).to_string()));
        }
    }
    run.report(rendered, differences.len());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The difference in the shortest template that still has one.
fn shortened(amtool: &Amtool, tree: &mut dyn ValueTree<Value = String>, mut found: Difference) -> Difference {
    for _ in 0..MAX_SHRINKS {
        if !tree.simplify() {
            break;
        }
        loop {
            if let Some(shorter) = amtool.difference(&tree.current()) {
                found = shorter;
                break;
            }
            if !tree.complicate() {
                return found;
            }
        }
    }
    found
}

#[test]
fn generated_templates_equal_amtool() {
    compare(240, &templates::template());
}

#[test]
fn broken_templates_are_refused_as_by_amtool() {
    compare(160, &templates::broken());
}
