//! What Maven and Gradle read beside a library: its name, and which other libraries come with it.

use std::collections::BTreeSet;

use super::breach::Breach;

const GROUP: &str = "dev.turnstone";
const NAMES: &str = "POM names the library";
const COMPLETE: &str = "POM names all it needs and nothing else";
const EXACT: &str = "POM names exact versions";
/// On Android the classes of JNA come with its native libraries.
const KIND: &str = "POM: of the kind that fits";

/// A library and what it needs.
#[derive(Debug, Clone)]
pub(crate) struct Pom {
    /// `turnstone-android`, `turnstone-jvm`, `turnstone-jvm-testing`.
    pub(crate) artifact: &'static str,
    /// `aar` or `jar`.
    pub(crate) packaging: &'static str,
    pub(crate) version: String,
    pub(crate) dependencies: BTreeSet<Dependency>,
}

/// One library that is needed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Dependency {
    pub(crate) group: String,
    pub(crate) artifact: String,
    pub(crate) version: String,
    /// `compile` where its types are in the interface, else `runtime`.
    pub(crate) scope: String,
    /// `aar` where Maven would not take that kind by itself.
    pub(crate) kind: String,
}

impl Pom {
    /// The library for Android, by the build of Gradle and its catalogue of versions.
    ///
    /// # Errors
    /// Which dependency is not understood.
    pub(crate) fn android(build: &str, catalogue: &str, version: &str) -> Result<Self, String> {
        let catalogue: toml::Table = catalogue.parse().map_err(|error| format!("the catalogue: {error}"))?;
        let entry = |table: &str, name: &str| {
            catalogue.get(table).and_then(|table| table.get(name)).ok_or_else(|| format!("[{table}] has no {name}"))
        };
        let named = |value: Option<&toml::Value>| value.and_then(toml::Value::as_str).map(str::to_owned);
        let number = |name: &str| {
            let number = entry("versions", name)?.as_str().map(str::to_owned);
            number.ok_or_else(|| format!("{name} has no version"))
        };
        let mut dependencies = BTreeSet::from([Dependency {
            group: "org.jetbrains.kotlin".to_owned(),
            artifact: "kotlin-stdlib".to_owned(),
            version: number("kotlin")?,
            scope: "compile".to_owned(),
            kind: "jar".to_owned(),
        }]);
        let lines = build.lines().map(str::trim);
        let lines = lines.skip_while(|line| *line != "dependencies {").skip(1).take_while(|line| *line != "}");
        for line in lines.filter(|line| !line.is_empty()) {
            let scope = match line.split_once('(') {
                Some(("api", _)) => "compile",
                Some(("implementation", _)) => "runtime",
                _ => return Err(format!("a dependency of a kind that is not known: {line}")),
            };
            let alias = line.split_once("libs.").map(|(_, rest)| rest).unwrap_or_default();
            let alias = alias.split(')').next().unwrap_or_default().replace('.', "-");
            let library = entry("libraries", &alias)?;
            let module = named(library.get("module")).unwrap_or_default();
            let (group, artifact) = module.split_once(':').ok_or_else(|| format!("{alias} has no module"))?;
            let reference = named(library.get("version").and_then(|version| version.get("ref"))).unwrap_or_default();
            dependencies.insert(Dependency {
                group: group.to_owned(),
                artifact: artifact.to_owned(),
                version: number(&reference)?,
                scope: scope.to_owned(),
                kind: if line.contains("artifactType(\"aar\")") { "aar" } else { "jar" }.to_owned(),
            });
        }
        let (artifact, packaging) = ("turnstone-android", "aar");
        Ok(Self { artifact, packaging, version: version.to_owned(), dependencies })
    }

    /// The library for the tests of apps on a computer: the same, without what only Android has.
    pub(crate) fn jvm(&self) -> Self {
        let needed = self.dependencies.iter().filter(|dependency| !dependency.group.starts_with("androidx."));
        let dependencies = needed.cloned().map(|mut dependency| {
            dependency.kind = "jar".to_owned();
            if dependency.artifact == "kotlinx-coroutines-android" {
                dependency.artifact = "kotlinx-coroutines-core".to_owned();
            }
            dependency
        });
        let (artifact, packaging) = ("turnstone-jvm", "jar");
        Self { artifact, packaging, version: self.version.clone(), dependencies: dependencies.collect() }
    }

    /// The same with a server inside, for tests of apps that want one.
    pub(crate) fn testing(&self) -> Self {
        Self { artifact: "turnstone-jvm-testing", ..self.clone() }
    }

    /// The name of the file that it stands beside.
    pub(crate) fn file(&self, extension: &str) -> String {
        format!("{}-{}.{extension}", self.artifact, self.version)
    }

    pub(crate) fn write(&self) -> String {
        let mut text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n  \
             <modelVersion>4.0.0</modelVersion>\n  <groupId>{GROUP}</groupId>\n  <artifactId>{}</artifactId>\n  \
             <version>{}</version>\n  <packaging>{}</packaging>\n  <licenses>\n    <license><name>Apache-2.0</name></license>\n    \
             <license><name>MIT</name></license>\n  </licenses>\n  <dependencies>\n",
            self.artifact, self.version, self.packaging
        );
        for dependency in &self.dependencies {
            text.push_str(&dependency.write());
        }
        text.push_str("  </dependencies>\n</project>\n");
        text
    }

    /// Every rule that a file breaks which should say the same.
    pub(crate) fn check(&self, file: &str) -> Vec<Breach> {
        let mut breaches = Vec::new();
        let (head, rest) = file.split_once("<dependencies>").unwrap_or((file, ""));
        let own = [("groupId", GROUP), ("artifactId", self.artifact), ("version", &self.version)];
        for (tag, expected) in own.into_iter().chain([("packaging", self.packaging)]) {
            if element(head, tag) != expected {
                breaches.push(Breach::new(NAMES, format!("{tag} is {:?}, not {expected:?}", element(head, tag))));
            }
        }
        let found: BTreeSet<Dependency> = rest.split("<dependency>").skip(1).map(Dependency::read).collect();
        let same = |one: &Dependency, other: &Dependency| {
            (&one.group, &one.artifact, &one.scope) == (&other.group, &other.artifact, &other.scope)
        };
        for wanted in &self.dependencies {
            match found.iter().find(|found| same(found, wanted)) {
                None => breaches.push(Breach::new(COMPLETE, format!("{} is missing", wanted.artifact))),
                Some(found) if found.version != wanted.version => {
                    breaches.push(Breach::new(EXACT, format!("{} {:?}", found.artifact, found.version)));
                }
                Some(found) if found.kind != wanted.kind => {
                    breaches.push(Breach::new(KIND, format!("{} as {}", found.artifact, found.kind)));
                }
                Some(_) => {}
            }
        }
        let extra = found.iter().filter(|found| !self.dependencies.iter().any(|wanted| same(found, wanted)));
        breaches.extend(
            extra.map(|found| Breach::new(COMPLETE, format!("{} {} is too many", found.artifact, found.scope))),
        );
        breaches
    }
}

impl Dependency {
    /// Where it lies in a repository of Maven.
    pub(crate) fn path(&self) -> String {
        let Self { group, artifact, version, kind, .. } = self;
        format!("{}/{artifact}/{version}/{artifact}-{version}.{kind}", group.replace('.', "/"))
    }

    fn write(&self) -> String {
        let Self { group, artifact, version, scope, kind } = self;
        let kind = if kind == "jar" { String::new() } else { format!("<type>{kind}</type>") };
        format!(
            "    <dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>\
             {kind}<scope>{scope}</scope></dependency>\n"
        )
    }

    fn read(text: &str) -> Self {
        let text = text.split("</dependency>").next().unwrap_or_default();
        let or = |found: &str, default: &str| if found.is_empty() { default } else { found }.to_owned();
        Self {
            group: element(text, "groupId").to_owned(),
            artifact: element(text, "artifactId").to_owned(),
            version: element(text, "version").to_owned(),
            scope: or(element(text, "scope"), "compile"),
            kind: or(element(text, "type"), "jar"),
        }
    }
}

/// What stands in the first element of a name; nothing where there is none.
fn element<'a>(xml: &'a str, tag: &str) -> &'a str {
    let inside = xml.split_once(&format!("<{tag}>")).and_then(|(_, rest)| rest.split_once(&format!("</{tag}>")));
    inside.map_or("", |(inside, _)| inside.trim())
}

#[cfg(test)]
mod tests {
    use super::super::breach::rules;
    use super::*;

    const CATALOGUE: &str = "[versions]\nkotlin = \"2.2.20\"\ncoroutines = \"1.10.2\"\njna = \"5.17.0\"\nwork = \"2.10.5\"\n\
        [libraries]\ncoroutines-android = { module = \"org.jetbrains.kotlinx:kotlinx-coroutines-android\", version.ref = \"coroutines\" }\n\
        work-runtime = { module = \"androidx.work:work-runtime-ktx\", version.ref = \"work\" }\n\
        jna = { module = \"net.java.dev.jna:jna\", version.ref = \"jna\" }\n";
    const BUILD: &str = "plugins {\n}\n\ndependencies {\n    api(libs.coroutines.android)\n    \
        implementation(libs.work.runtime)\n    implementation(variantOf(libs.jna) { artifactType(\"aar\") })\n}\n\nval x = 1\n";

    fn android() -> Pom {
        Pom::android(BUILD, CATALOGUE, "0.1.0").unwrap()
    }

    #[test]
    fn what_gradle_needs_stands_in_the_pom() {
        let pom = android();
        let text = pom.write();
        assert_eq!(pom.check(&text), []);
        assert!(text.contains("<packaging>aar</packaging>"), "{text}");
        let line = "<artifactId>jna</artifactId><version>5.17.0</version><type>aar</type><scope>runtime</scope>";
        assert!(text.contains(line), "{text}");
        assert!(text.contains("coroutines-android</artifactId><version>1.10.2</version><scope>compile"), "{text}");
        assert_eq!(pom.dependencies.len(), 4);
    }

    #[test]
    fn on_a_computer_nothing_of_android_is_needed() {
        let jvm = android().jvm();
        let text = jvm.write();
        assert_eq!(jvm.check(&text), []);
        assert!(text.contains("<packaging>jar</packaging>") && text.contains("coroutines-core"), "{text}");
        assert!(!text.contains("androidx") && !text.contains("aar") && !text.contains("android"), "{text}");
        let testing = jvm.testing();
        assert_eq!(testing.dependencies, jvm.dependencies);
        assert_eq!(rules(&testing.check(&text)), [NAMES], "the one is not the other");
    }

    #[test]
    fn a_dependency_that_is_not_understood_is_no_pom() {
        let unknown = BUILD.replace("api(libs.coroutines.android)", "compileOnly(libs.coroutines.android)");
        assert!(Pom::android(&unknown, CATALOGUE, "1").unwrap_err().contains("compileOnly"));
        let nowhere = BUILD.replace("libs.work.runtime", "libs.work.nowhere");
        assert_eq!(Pom::android(&nowhere, CATALOGUE, "1").unwrap_err(), "[libraries] has no work-nowhere");
    }

    #[test]
    fn each_rule_turns_red_by_itself() {
        let pom = android();
        let broken = |from: &str, to: &str| {
            let text = pom.write();
            assert!(text.contains(from), "{from}");
            rules(&pom.check(&text.replace(from, to)))
        };
        assert_eq!(broken("<artifactId>turnstone-android<", "<artifactId>turnstone<"), [NAMES]);
        assert_eq!(broken("<version>0.1.0<", "<version>0.0.9<"), [NAMES]);
        assert_eq!(broken("<packaging>aar</packaging>", ""), [NAMES]);
        assert_eq!(broken("<version>5.17.0<", "<version>[5,)<"), [EXACT]);
        assert_eq!(broken("<version>2.10.5</version>", ""), [EXACT]);
        assert_eq!(broken("<type>aar</type>", ""), [KIND]);
        assert_eq!(broken(">work-runtime-ktx<", ">work-runtime<"), [COMPLETE]);
        assert_eq!(broken("<type>aar</type><scope>runtime", "<type>aar</type><scope>test"), [COMPLETE]);
    }
}
