//! Tells what the packages are made of: a list of parts in the format of `CycloneDX` 1.5
//! (cyclonedx.org), and the licences of others whose code is in the binaries.
//!
//! usage: sbom FOLDER. The same sources and the same compiler give the same files, byte for byte.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use chrono::DateTime;
use serde_json::{Value, json};
use tpa_tests::tool;

/// Those that are packed.
const OURS: [&str; 4] = ["pam_tpa", "tpad", "tpactl", "tpa_notify"];

/// What the file with a licence's text is called in other people's sources.
const TEXTS: [&str; 5] = ["copying", "copyright", "licen", "notice", "unlicense"];

/// Name and version.
type Id = (String, String);

/// Another's library.
struct Part {
    licence: String,
    repository: Option<String>,
    folder: PathBuf,
    checksum: Option<String>,
    /// Its code is in a binary, not only in a program that helped to build one.
    linked: bool,
    needs: BTreeSet<Id>,
}

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).context("usage: sbom FOLDER")?;
    let folder = Path::new(&folder);
    let parts = parts()?;
    let list = serde_json::to_string_pretty(&list(&parts)?)?;
    fs::write(folder.join("tpa.cdx.json"), list + "\n")?;
    fs::write(folder.join("third-party-notices"), notices(&parts)?)?;
    Ok(())
}

fn cargo(arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).arg("--locked");
    let said = tool::run(&mut command, format!("cargo {}", arguments.join(" ")))?;
    Ok(String::from_utf8(said)?)
}

/// What cargo builds in for the packages, over edges of these kinds.
fn tree(edges: &str) -> Result<BTreeSet<Id>> {
    let mut arguments = vec!["tree", "--prefix=none", "--format={p}", "--edges", edges];
    arguments.extend(OURS.iter().flat_map(|name| ["--package", name]));
    Ok(ids(&cargo(&arguments)?))
}

/// `NAME vVERSION` and more, one a line.
fn ids(tree: &str) -> BTreeSet<Id> {
    let id = |line: &str| {
        let (name, rest) = line.split_once(" v")?;
        let version = rest.split(' ').next()?;
        Some((name.to_owned(), version.to_owned()))
    };
    tree.lines().filter_map(id).collect()
}

fn parts() -> Result<BTreeMap<Id, Part>> {
    let linked = tree("normal,no-proc-macro")?;
    let built = tree("normal,build")?;
    let checksums = checksums(&fs::read_to_string("Cargo.lock")?)?;
    let metadata: Value = serde_json::from_str(&cargo(&["metadata", "--format-version=1"])?)?;
    let needs = needs(&metadata, &built);
    let mut parts = BTreeMap::new();
    for package in list_of(&metadata, "packages") {
        let id = (text(package, "name"), text(package, "version"));
        // What comes from nowhere is in this workspace: ours.
        if !built.contains(&id) || package.get("source").is_none_or(Value::is_null) {
            continue;
        }
        let manifest = PathBuf::from(text(package, "manifest_path"));
        let part = Part {
            licence: text(package, "license"),
            repository: package
                .get("repository")
                .and_then(Value::as_str)
                .map(str::to_owned),
            folder: manifest
                .parent()
                .context("a manifest is in a folder")?
                .to_owned(),
            checksum: checksums.get(&id).cloned(),
            linked: linked.contains(&id),
            needs: needs.get(&id).cloned().unwrap_or_default(),
        };
        parts.insert(id, part);
    }
    Ok(parts)
}

fn list_of<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn text(value: &Value, name: &str) -> String {
    let found = value.get(name).and_then(Value::as_str);
    found.unwrap_or_default().to_owned()
}

/// The SHA-256 of each archive that cargo fetches.
fn checksums(lock: &str) -> Result<BTreeMap<Id, String>> {
    let lock: toml::Table = lock.parse()?;
    let packages = lock.get("package").and_then(toml::Value::as_array);
    let field = |package: &toml::Value, name: &str| {
        let found = package.get(name).and_then(toml::Value::as_str);
        found.map(str::to_owned)
    };
    let known = |package: &toml::Value| {
        let id = (field(package, "name")?, field(package, "version")?);
        Some((id, field(package, "checksum")?))
    };
    Ok(packages.into_iter().flatten().filter_map(known).collect())
}

/// What each of these is built with, as far as it is one of these.
fn needs(metadata: &Value, built: &BTreeSet<Id>) -> BTreeMap<Id, BTreeSet<Id>> {
    let named: BTreeMap<String, Id> = list_of(metadata, "packages")
        .map(|package| {
            let id = (text(package, "name"), text(package, "version"));
            (text(package, "id"), id)
        })
        .collect();
    let mut needs: BTreeMap<Id, BTreeSet<Id>> = BTreeMap::new();
    let nodes = metadata.get("resolve").into_iter();
    for node in nodes.flat_map(|resolve| list_of(resolve, "nodes")) {
        let Some(id) = named.get(&text(node, "id")) else {
            continue;
        };
        let is_for_tests = |kind: &Value| text(kind, "kind") == "dev";
        let deps = list_of(node, "deps")
            .filter(|dep| !list_of(dep, "dep_kinds").all(is_for_tests))
            .filter_map(|dep| named.get(&text(dep, "pkg")))
            .filter(|dep| built.contains(*dep));
        needs.insert(id.clone(), deps.cloned().collect());
    }
    needs
}

fn reference((name, version): &Id) -> String {
    format!("pkg:cargo/{name}@{version}")
}

/// The list of parts.
fn list(parts: &BTreeMap<Id, Part>) -> Result<Value> {
    let version = env!("CARGO_PKG_VERSION");
    let ours = format!("pkg:generic/tpa@{version}");
    let epoch = std::env::var("SOURCE_DATE_EPOCH").context("SOURCE_DATE_EPOCH is not set")?;
    let made = DateTime::from_timestamp(epoch.parse()?, 0).context("a time")?;
    let mut components: Vec<_> = parts.iter().map(|(id, part)| component(id, part)).collect();
    components.push(compiler()?);
    let mut dependencies = vec![json!({
        "ref": ours,
        "dependsOn": parts.keys().map(reference).collect::<Vec<_>>(),
    })];
    for (id, part) in parts {
        let needs: Vec<_> = part
            .needs
            .iter()
            .filter(|need| parts.contains_key(*need))
            .map(reference)
            .collect();
        dependencies.push(json!({ "ref": reference(id), "dependsOn": needs }));
    }
    if let Some((id, sqlite)) = sqlite(parts)? {
        dependencies.push(json!({ "ref": id, "dependsOn": [] }));
        components.push(sqlite);
    }
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": made.format("%FT%TZ").to_string(),
            "component": { "type": "application", "bom-ref": ours, "name": "tpa", "version": version,
                "licenses": [{ "expression": env!("CARGO_PKG_LICENSE") }] },
        },
        "components": components,
        "dependencies": dependencies,
    }))
}

fn component(id: &Id, part: &Part) -> Value {
    let hash = |sum| json!({ "alg": "SHA-256", "content": sum });
    let source = |url| json!({ "type": "vcs", "url": url });
    json!({
        "type": "library",
        "bom-ref": reference(id),
        "name": id.0,
        "version": id.1,
        "scope": if part.linked { "required" } else { "excluded" },
        "purl": reference(id),
        "licenses": [{ "expression": part.licence.replace('/', " OR ") }],
        "hashes": part.checksum.iter().map(hash).collect::<Vec<_>>(),
        "externalReferences": part.repository.iter().map(source).collect::<Vec<_>>(),
    })
}

/// The standard library comes with the compiler.
fn compiler() -> Result<Value> {
    let said = tool::run(Command::new("rustc").arg("--version"), "rustc --version")?;
    let said = String::from_utf8(said)?;
    let version = said.split(' ').nth(1).context("rustc VERSION")?;
    Ok(json!({
        "type": "library",
        "bom-ref": format!("pkg:generic/rust-std@{version}"),
        "name": "rust-std",
        "version": version,
        "scope": "required",
        "licenses": [{ "expression": "MIT OR Apache-2.0" }],
    }))
}

/// The `SQLite` that its binding brings along. Weaknesses are published under this name.
fn sqlite(parts: &BTreeMap<Id, Part>) -> Result<Option<(String, Value)>> {
    let Some((_, binding)) = parts.iter().find(|((name, _), _)| name == "libsqlite3-sys") else {
        return Ok(None);
    };
    let header = fs::read_to_string(binding.folder.join("sqlite3/sqlite3.h"))?;
    let version = header
        .lines()
        .find_map(|line| line.strip_prefix("#define SQLITE_VERSION "))
        .context("sqlite3.h has a version")?
        .trim()
        .trim_matches('"');
    let id = format!("pkg:generic/sqlite@{version}");
    let component = json!({
        "type": "library",
        "bom-ref": id,
        "name": "sqlite",
        "version": version,
        "scope": "required",
        "purl": id,
        "cpe": format!("cpe:2.3:a:sqlite:sqlite:{version}:*:*:*:*:*:*:*"),
        "licenses": [{ "expression": "blessing" }],
    });
    Ok(Some((id, component)))
}

/// The texts of the licences, each once, below those that have it.
fn notices(parts: &BTreeMap<Id, Part>) -> Result<String> {
    let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut said =
        "Libraries of others that are in tpad, tpactl, tpa-notify and pam_tpa.so, with their \
                    licences.\nThe texts follow.\n\n"
            .to_owned();
    for ((name, version), part) in parts.iter().filter(|(_, part)| part.linked) {
        let source = part.repository.as_deref().unwrap_or("");
        let line = format!("{name} {version}  {}  {source}", part.licence);
        said += line.trim_end();
        said += "\n";
        for text in own_texts(&part.folder)? {
            let of = texts.entry(text).or_default();
            of.insert(format!("{name} {version}"));
        }
    }
    for (text, of) in texts {
        let of: Vec<_> = of.into_iter().collect();
        for part in [
            "\n",
            &"-".repeat(72),
            "\n",
            &of.join(", "),
            "\n\n",
            &text,
            "\n",
        ] {
            said += part;
        }
    }
    Ok(said)
}

fn own_texts(folder: &Path) -> Result<BTreeSet<String>> {
    let mut texts = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_lowercase();
        if entry.file_type()?.is_file() && TEXTS.iter().any(|start| name.starts_with(start)) {
            let text = fs::read_to_string(entry.path())?.replace('\r', "");
            texts.insert(text.trim().to_owned());
        }
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_prints_about_a_part_is_read_as_its_name_and_version() {
        let tree =
            "tpad v0.1.0 (/src/tpad)\nserde_derive v1.0.228 (proc-macro) (*)\n\nnix v0.31.1\n";
        let id = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        let expected = [
            id("nix", "0.31.1"),
            id("serde_derive", "1.0.228"),
            id("tpad", "0.1.0"),
        ];
        assert_eq!(ids(tree), expected.into());
    }

    #[test]
    fn every_part_that_is_linked_is_told_with_its_licence_and_where_it_came_from() {
        std::env::set_current_dir("..").unwrap();
        let parts = parts().unwrap();
        for (id, part) in &parts {
            assert!(!part.licence.is_empty(), "{id:?}");
            assert!(part.checksum.is_some(), "{id:?}");
        }
        let linked = |name: &str| {
            let found = parts.iter().find(|((of, _), _)| of == name);
            found.map(|(_, part)| part.linked)
        };
        assert_eq!(linked("rusqlite"), Some(true));
        assert_eq!(linked("serde_derive"), Some(false));
        assert_eq!(linked("cc"), Some(false));
        assert_eq!(linked("proptest"), None);
        assert_eq!(linked("tpad"), None);
    }
}
