//! Files that import each other in a circle.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::program::{Import, Program, Target};

/// The files that each file imports, with the first import of each.
type Graph = BTreeMap<String, BTreeMap<String, Import>>;

/// Describes each circle: its files, and a line for each import on its shortest path. The files of a circle import each
/// other, directly or through others.
pub(super) fn circles(program: &Program) -> Vec<String> {
    let graph = graph(program);
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        graph.keys().map(|file| (file.as_str(), reached_from(&graph, file))).collect();
    let mut circles = Vec::new();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for (file, others) in &reached {
        if seen.contains(file) || !others.contains(file) {
            continue;
        }
        let leads_back = |other: &&str| reached[other].contains(file);
        let files: BTreeSet<&str> = others.iter().copied().filter(leads_back).collect();
        seen.extend(&files);
        circles.push(describe(&graph, &files));
    }
    circles
}

fn graph(program: &Program) -> Graph {
    let mut graph = Graph::new();
    for import in program.imports() {
        let Target::Item { file, .. } = &import.target else { continue };
        if program.is_transparent(&import.file) || *file == import.file {
            continue;
        }
        let file = file.clone();
        graph.entry(file.clone()).or_default();
        graph.entry(import.file.clone()).or_default().entry(file).or_insert(import);
    }
    graph
}

/// The files that `start` imports, directly or through others.
fn reached_from<'g>(graph: &'g Graph, start: &str) -> BTreeSet<&'g str> {
    let mut reached = BTreeSet::new();
    let mut waiting: Vec<&str> = graph[start].keys().map(String::as_str).collect();
    while let Some(file) = waiting.pop() {
        if reached.insert(file) {
            waiting.extend(graph[file].keys().map(String::as_str));
        }
    }
    reached
}

fn describe(graph: &Graph, files: &BTreeSet<&str>) -> String {
    let paths = files.iter().map(|file| shortest_circle(graph, file));
    let shortest = paths.min_by_key(Vec::len).unwrap_or_default();
    let mut description = files.iter().copied().collect::<Vec<_>>().join(" ");
    for (from, to) in shortest.iter().zip(shortest.iter().cycle().skip(1)) {
        let Import { line, path, .. } = &graph[*from][*to];
        description.push_str(&format!("\n  src/{from}:{line} imports src/{to} ({path})"));
    }
    description
}

/// The files on the shortest path from `start` back to it.
fn shortest_circle<'g>(graph: &'g Graph, start: &'g str) -> Vec<&'g str> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut waiting = VecDeque::from([start]);
    while let Some(file) = waiting.pop_front() {
        if graph[file].contains_key(start) {
            let mut path = vec![file];
            while let Some(before) = came_from.get(path[path.len() - 1]) {
                path.push(before);
            }
            path.reverse();
            return path;
        }
        for next in graph[file].keys().map(String::as_str) {
            if next != start && !came_from.contains_key(next) {
                came_from.insert(next, file);
                waiting.push_back(next);
            }
        }
    }
    Vec::new()
}
