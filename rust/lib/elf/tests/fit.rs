//! Programs against images: what does not fit is said as a person needs it, and the loader and readelf agree with what is read.
#![allow(
    clippy::print_stdout,
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use elf::{Checked, Error, How, Machine, Misfit, Program};
use tempfile::TempDir;
use tree::{Entry, Input, Kind, Source, Stamp, Tree};

/// A tree, and the bytes of its inputs.
struct Image {
    tree: Tree,
    inputs: Vec<Vec<u8>>,
}

fn stamp(mode: u32) -> Stamp {
    Stamp {
        mode,
        uid: 0,
        gid: 0,
        mtime: 0,
        mtime_nanos: 0,
    }
}

impl Image {
    fn new() -> Self {
        Self {
            tree: Tree::new(stamp(0o755)),
            inputs: Vec::new(),
        }
    }

    fn put(&mut self, path: &str, kind: Kind, layer: u8, mode: u32) {
        let entry = Entry {
            layer,
            ..Entry::injected(kind, stamp(mode))
        };
        self.tree
            .insert(path.as_bytes(), entry, "the test")
            .unwrap();
    }

    fn file(&mut self, path: &str, bytes: Vec<u8>, layer: u8, mode: u32) {
        let len = bytes.len() as u64;
        let input = self.tree.add_input(Input { len });
        self.inputs.push(bytes);
        let offset = 0;
        let kind = Kind::File(Source { input, offset, len });
        self.put(path, kind, layer, mode);
    }

    /// A file that nobody may execute.
    fn late_data(&mut self, path: &str, bytes: Vec<u8>) {
        self.file(path, bytes, 1, 0o644);
    }

    fn base(&mut self, path: &str, bytes: Vec<u8>) -> &mut Self {
        self.file(path, bytes, 0, 0o755);
        self
    }

    fn late(&mut self, path: &str, bytes: Vec<u8>) -> &mut Self {
        self.file(path, bytes, 1, 0o755);
        self
    }

    fn link(&mut self, path: &str, target: &str) -> &mut Self {
        let target = target.as_bytes().to_vec();
        self.put(path, Kind::Symlink { target }, 0, 0o777);
        self
    }

    fn check(&self) -> Result<(Vec<Checked>, Vec<Misfit>), Error> {
        elf::check(&self.tree, |source| {
            let bytes = &self.inputs[source.input];
            let end = source.offset + source.len;
            Ok(Some(bytes[source.offset as usize..end as usize].to_vec()))
        })
    }

    /// What does not fit, as text.
    fn misfits(&self) -> Vec<String> {
        let (_, misfits) = self.check().unwrap();
        misfits.iter().map(ToString::to_string).collect()
    }
}

/// A compiler in a folder of its own; nothing where there is none.
struct Compiler(TempDir);

impl Compiler {
    fn here() -> Option<Self> {
        let there = Command::new("gcc").arg("--version").output().is_ok();
        if !there {
            println!("skipped: gcc is not installed");
        }
        there.then(|| Self(TempDir::new().unwrap()))
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Compiles `source` with these arguments, in the folder.
    fn make(&self, name: &str, source: &str, args: &str) -> Vec<u8> {
        let file = format!("{name}.c");
        fs::write(self.at(&file), source).unwrap();
        let output = Command::new("gcc")
            .args(["-o", name, &file, "-nostdlib", "-L."])
            .args(args.split_whitespace())
            .current_dir(self.0.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {said}");
        fs::read(self.at(name)).unwrap()
    }

    /// A library of these functions, each in a version of its own name.
    fn library(&self, name: &str, functions: &[(&str, &str)], args: &str) -> Vec<u8> {
        let mut source = String::new();
        let mut versions = String::new();
        for (function, version) in functions {
            source.push_str(&format!("int {function}(void) {{ return 1; }}\n"));
            versions.push_str(&format!("{version} {{ global: {function}; }};\n"));
        }
        fs::write(self.at("versions"), versions).unwrap();
        let flags =
            format!("-shared -fPIC -Wl,-soname,{name} -Wl,--version-script=versions {args}");
        self.make(name, &source, &flags)
    }

    /// A program that calls these functions.
    fn program(&self, name: &str, functions: &[&str], args: &str) -> Vec<u8> {
        let calls: String = functions
            .iter()
            .map(|function| {
                format!(
                    "int {function}(void); int use_{function}(void) {{ return {function}(); }}\n"
                )
            })
            .collect();
        self.make(name, &format!("{calls}void _start(void) {{}}\n"), args)
    }
}

const OLD: [(&str, &str); 2] = [("one", "FOO_1.2"), ("two", "FOO_1.10")];
const NEW: [(&str, &str); 4] = [
    ("one", "FOO_1.2"),
    ("two", "FOO_1.10"),
    ("three", "FOO_2.0"),
    ("four", "BAR_1"),
];
const LOADER: &str = "lib64/ld-linux-x86-64.so.2";
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

/// An image with a loader (any ELF file of this machine will do), a program, and links as Debian has them.
fn image(compiler: &Compiler) -> Image {
    let mut image = Image::new();
    let any = compiler.library("libany.so", &[("any", "ANY")], "");
    image.base(&format!("usr/{LOADER}"), any.clone());
    image.base("usr/bin/true", any);
    image.link("lib", "usr/lib").link("lib64", "usr/lib64");
    image
}

#[test]
fn a_program_that_fits() {
    let Some(compiler) = Compiler::here() else {
        return;
    };
    let foo = compiler.library("libfoo.so.1", &OLD, "");
    let program = compiler.program("program", &["one", "two"], "-l:libfoo.so.1");
    let mut image = image(&compiler);
    image.base(&format!("{LIBRARIES}/libfoo.so.1.0"), foo);
    image.link(&format!("{LIBRARIES}/libfoo.so.1"), "libfoo.so.1.0");
    image.late("opt/program", program);
    image.late("opt/static", compiler.program("static", &[], "-static"));
    image.late("opt/note.txt", b"text".to_vec());
    let object = compiler.make("object.o", "int x;", "-c");
    image.late("opt/object.o", object);
    let (checked, misfits) = image.check().unwrap();
    assert_eq!(misfits, []);
    let how: Vec<_> = checked.iter().map(|c| (&c.path[..], &c.how)).collect();
    let libraries = [
        format!("usr/{LOADER}"),
        format!("{LIBRARIES}/libfoo.so.1.0"),
    ];
    assert_eq!(
        how,
        [
            (&b"opt/object.o"[..], &How::NotLoaded),
            (
                b"opt/program",
                &How::Dynamic(libraries.map(String::into_bytes).to_vec())
            ),
            (b"opt/static", &How::Static),
        ]
    );
}

#[test]
fn a_version_that_is_missing() {
    let Some(compiler) = Compiler::here() else {
        return;
    };
    compiler.library("libfoo.so.1", &NEW, "");
    let program = compiler.program("program", &["one", "three", "four"], "-l:libfoo.so.1");
    let mut image = image(&compiler);
    let old = compiler.library("libfoo.so.1", &OLD, "");
    image.base(&format!("{LIBRARIES}/libfoo.so.1"), old);
    image.late("opt/program", program);
    let mut misfits = image.misfits();
    misfits.sort();
    assert_eq!(
        misfits,
        [
            "/opt/program: wants BAR_1 (for four) of libfoo.so.1, /usr/lib/x86_64-linux-gnu/libfoo.so.1 has no version of that \
             family: build the program against the image's libraries or older ones, or statically",
            "/opt/program: wants FOO_2.0 (for three) of libfoo.so.1, /usr/lib/x86_64-linux-gnu/libfoo.so.1 has FOO_1.2 to \
             FOO_1.10: build the program against the image's libraries or older ones, or statically",
        ]
    );
}

#[test]
fn a_library_that_is_missing() {
    let Some(compiler) = Compiler::here() else {
        return;
    };
    let foo = compiler.library("libfoo.so.1", &OLD, "");
    let program = compiler.program(
        "program",
        &["one"],
        "-l:libfoo.so.1 -Wl,-rpath,$ORIGIN/../lib:/opt/more",
    );
    let mut image = image(&compiler);
    image.late("opt/bin/program", program);
    let folders = "/opt/bin/../lib, /opt/more, /etc/ld.so.cache, /lib/x86_64-linux-gnu, /usr/lib/x86_64-linux-gnu, /lib, /usr/lib";
    let advice = "add the package that has it, put it into one of these folders, or build the program statically";
    assert_eq!(
        image.misfits(),
        [format!("/opt/bin/program: wants the library libfoo.so.1, and the image has none in {folders}: {advice}")]
    );
    // Somewhere else, for another machine.
    let mut other = foo.clone();
    other[18] = 183;
    image.base("usr/local/lib/libfoo.so.1", foo.clone());
    image.base("opt/more/libfoo.so.1", other);
    assert_eq!(
        image.misfits(),
        [format!(
            "/opt/bin/program: wants the library libfoo.so.1, and the image has none in {folders}; /opt/more/libfoo.so.1 is for \
             another processor; /usr/local/lib/libfoo.so.1 is where the loader does not look: {advice}"
        )]
    );
    // Where the program says.
    image.late("opt/lib/libfoo.so.1", foo);
    assert_eq!(image.misfits(), [""; 0]);
}

/// Libraries that are named by paths: where the linker finds no own name, it takes what it was given.
#[test]
fn a_library_by_its_path() {
    let Some(compiler) = Compiler::here() else {
        return;
    };
    fs::create_dir(compiler.at("lib")).unwrap();
    let foo = "int one(void) { return 1; }";
    let foo = compiler.make("lib/libfoo.so", foo, "-shared -fPIC");
    let program = compiler.program("program", &["one"], "lib/libfoo.so");
    let mut image = image(&compiler);
    // From the root it would be there, if the program is started from there.
    image.base("usr/lib/libfoo.so", foo.clone());
    image.late("opt/program", program);
    assert_eq!(
        image.misfits(),
        ["/opt/program: wants the library lib/libfoo.so, and the image has none: it is looked for from where the program is started: add \
          the package that has it, put it into one of these folders, or build the program statically"]
    );
    // By its own folder it is found.
    let own = "-shared -fPIC -Wl,-soname,$ORIGIN/lib/libfoo.so";
    let foo = compiler.make("lib/libfoo.so", "int one(void) { return 1; }", own);
    let program = compiler.program("program", &["one"], "lib/libfoo.so");
    let mut image = self::image(&compiler);
    image.late("opt/lib/libfoo.so", foo);
    image.late("opt/program", program);
    assert_eq!(image.misfits(), [""; 0]);
}

#[test]
fn a_library_of_a_library() {
    let Some(compiler) = Compiler::here() else {
        return;
    };
    let deep = compiler.library("libdeep.so", &[("deep", "DEEP_1")], "");
    let middle = compiler.make(
        "libmiddle.so",
        "int deep(void); int middle(void) { return deep(); }",
        "-shared -fPIC -l:libdeep.so",
    );
    let linked = "-l:libmiddle.so -Wl,--no-as-needed -Wl,--allow-shlib-undefined";
    // The old form of the path counts for libraries of libraries, the new one does not.
    for (form, fits) in [("--disable-new-dtags", true), ("--enable-new-dtags", false)] {
        let program = compiler.program(
            "program",
            &["middle"],
            &format!("{linked} -Wl,{form},-rpath,$ORIGIN"),
        );
        let mut image = image(&compiler);
        image.late("opt/libdeep.so", deep.clone());
        image.late("opt/libmiddle.so", middle.clone());
        image.late("opt/program", program);
        let misfits = image.misfits();
        match fits {
            true => assert_eq!(misfits, [""; 0]),
            false => {
                let [misfit] = &misfits[..] else {
                    panic!("{misfits:?}");
                };
                let start = "/opt/program: its library /opt/libmiddle.so wants the library libdeep.so, and the image has none in ";
                assert!(misfit.starts_with(start), "{misfit}");
            }
        }
    }
    // A plugin is looked at alone.
    let mut image = image(&compiler);
    image.late("opt/libmiddle.so", middle);
    let misfits = image.misfits();
    assert_eq!(misfits.len(), 1, "{misfits:?}");
    assert!(
        misfits[0].starts_with("/opt/libmiddle.so: wants the library libdeep.so"),
        "{misfits:?}"
    );
}

#[test]
fn machines_and_loaders() {
    let Some(compiler) = Compiler::here() else {
        return;
    };
    let program = compiler.program("program", &[], "-static");
    let mut foreign = program.clone();
    foreign[18] = 183;
    let mut image = image(&compiler);
    image.late("opt/foreign", foreign.clone());
    // Not to be run: data.
    image.late_data("opt/firmware.elf", foreign);
    let linked = compiler.program(
        "linked",
        &[],
        "-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1 -pie",
    );
    image.late("opt/linked", linked);
    assert_eq!(
        image.misfits(),
        [
            "/opt/foreign: is for aarch64 (64 bits, little-endian), the image is for x86-64 (64 bits, little-endian): build it for that",
            "/opt/linked: wants the loader /lib/ld-musl-x86_64.so.1, the image has none there: build the program statically or for \
             this image's C library, or add the package that has the loader",
        ]
    );
    // A library is loaded whatever its mode says.
    let mut foreign = compiler.library("libforeign.so", &[("foreign", "FOREIGN")], "");
    foreign[18] = 183;
    let mut image = self::image(&compiler);
    image.late_data("opt/libforeign.so", foreign);
    assert_eq!(
        image.misfits(),
        ["/opt/libforeign.so: is for aarch64 (64 bits, little-endian), the image is for x86-64 (64 bits, little-endian): build it for that"]
    );
    let mut cut = program;
    cut.truncate(100);
    let mut image = self::image(&compiler);
    image.late("opt/cut", cut);
    let misfits = image.misfits();
    assert!(
        misfits[0].starts_with("/opt/cut: no ELF file that can be read: "),
        "{misfits:?}"
    );
}

/// The machine's own programs and libraries as an image: so many of its programs, and everything that they could be linked with.
fn this_machine() -> Option<(Image, Vec<PathBuf>)> {
    let loader = Path::new("/lib64/ld-linux-x86-64.so.2");
    if !loader.exists() || !Path::new("/etc/ld.so.cache").exists() {
        println!("skipped: no glibc for x86-64 here");
        return None;
    }
    let mut image = Image::new();
    for folder in ["lib", "lib64", "bin", "sbin"] {
        if fs::symlink_metadata(format!("/{folder}")).is_ok_and(|meta| meta.is_symlink()) {
            image.link(folder, &format!("usr/{folder}"));
        }
    }
    let put = |image: &mut Image, path: &Path, layer| {
        let name = path.to_str().unwrap().trim_start_matches('/');
        let place = image.tree.resolve(name.as_bytes(), false, "the test");
        if image.tree.get(&place.unwrap()).is_some() {
            return;
        }
        match fs::read_link(path) {
            Ok(target) => {
                image.link(name, target.to_str().unwrap());
            }
            Err(_) => {
                if let Ok(bytes) = fs::read(path) {
                    image.file(name, bytes, layer, 0o755);
                }
            }
        }
    };
    let mut programs = Vec::new();
    let mut names: Vec<_> = fs::read_dir("/usr/bin")
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    names.sort();
    for path in names {
        if programs.len() == 40 || fs::symlink_metadata(&path).unwrap().is_symlink() {
            continue;
        }
        let Ok(bytes) = fs::read(&path) else {
            continue;
        };
        if elf::is_elf(&bytes) && !Program::read(&bytes).unwrap().is_static() {
            put(&mut image, &path, 1);
            programs.push(path);
        }
    }
    put(&mut image, Path::new("/etc/ld.so.cache"), 0);
    put(&mut image, Path::new("/usr/lib64/ld-linux-x86-64.so.2"), 0);
    for folder in [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib",
        "/lib/x86_64-linux-gnu",
    ] {
        let Ok(entries) = fs::read_dir(folder) else {
            continue;
        };
        let mut entries: Vec<_> = entries.map(|e| e.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            let is_library = path.to_string_lossy().contains(".so");
            // Large ones are no library of a plain program.
            let small =
                fs::metadata(&path).is_ok_and(|meta| meta.is_file() && meta.len() < 8 << 20);
            if is_library && small {
                put(&mut image, &path, 0);
            }
        }
    }
    Some((image, programs))
}

#[test]
fn loads_what_the_loader_loads() {
    let Some((image, programs)) = this_machine() else {
        return;
    };
    let (checked, misfits) = image.check().unwrap();
    let mut compared = 0;
    for path in &programs {
        let said = Command::new("/lib64/ld-linux-x86-64.so.2")
            .arg("--list")
            .arg(path)
            .env_clear()
            .output()
            .unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        // `name => path (address)`, and the loader alone.
        let paths = said
            .lines()
            .filter_map(|line| line.split(" => ").nth(1)?.split(" (").next());
        let real = |path: &str| fs::canonicalize(path).unwrap();
        let want: BTreeSet<PathBuf> = paths
            .filter(|path| path.starts_with('/'))
            .map(real)
            .collect();
        let name = path.to_str().unwrap().trim_start_matches('/').as_bytes();
        let found = checked.iter().find(|checked| checked.path == name).unwrap();
        let How::Dynamic(libraries) = &found.how else {
            panic!("{found:?}");
        };
        let mut have: BTreeSet<PathBuf> = libraries
            .iter()
            .map(|path| real(&format!("/{}", String::from_utf8_lossy(path))))
            .collect();
        let missing = misfits.iter().any(|misfit| misfit.program == name);
        if missing {
            // A large library was left out above.
            continue;
        }
        // The loader is in its own list only where something names it.
        let loader = real("/lib64/ld-linux-x86-64.so.2");
        if !want.contains(&loader) {
            have.remove(&loader);
        }
        assert_eq!(have, want, "{}", path.display());
        compared += 1;
    }
    assert!(
        compared > programs.len() / 2,
        "{compared} of {}: {misfits:?}",
        programs.len()
    );
}

#[test]
fn wants_what_readelf_shows() {
    let Some((image, programs)) = this_machine() else {
        return;
    };
    if Command::new("readelf").arg("--version").output().is_err() {
        println!("skipped: readelf is not installed");
        return;
    }
    for path in programs
        .iter()
        .chain([&PathBuf::from("/lib/x86_64-linux-gnu/libc.so.6")])
    {
        let program = Program::read(&fs::read(path).unwrap()).unwrap();
        let output = Command::new("readelf")
            .args(["-VW"])
            .arg(path)
            .env("LC_ALL", "C")
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let word = |line: &str, key: &str| {
            let rest = line.split(key).nth(1)?;
            rest.split_whitespace().next().map(str::to_owned)
        };
        let (mut needs, mut defined, mut library) = (Vec::new(), Vec::new(), String::new());
        let mut part = "";
        for line in text.lines() {
            if line.starts_with("Version ") {
                part = line;
            } else if part.starts_with("Version needs") {
                if let Some(file) = word(line, "File: ") {
                    library = file;
                } else if let Some(name) = word(line, "Name: ") {
                    needs.push((library.clone(), name));
                }
            } else if part.starts_with("Version definition")
                && line.contains("Rev:")
                && !line.contains("Flags: BASE")
            {
                defined.extend(word(line, "Name: "));
            }
        }
        let name = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let wants: Vec<_> = program
            .wants
            .iter()
            .map(|want| (name(&want.library), name(&want.version)))
            .collect();
        assert_eq!(wants, needs, "{}", path.display());
        let has: Vec<_> = program
            .has
            .iter()
            .flatten()
            .map(|version| name(version))
            .collect();
        assert_eq!(has, defined, "{}", path.display());
        // Each version is there for some symbol, but for those that say something of the whole file.
        for want in &program.wants {
            assert!(
                !want.symbols.is_empty() || want.version.starts_with(b"GLIBC_ABI"),
                "{want:?}"
            );
        }
    }
    assert!(!image.inputs.is_empty());
}

#[test]
fn a_file_made_to_be_endless() {
    let Some(compiler) = Compiler::here() else {
        return;
    };
    compiler.library("libfoo.so.1", &NEW, "");
    let program = compiler.program("program", &["one", "three"], "-l:libfoo.so.1");
    let read = Program::read(&program).unwrap();
    assert_eq!(
        read.machine,
        Machine {
            number: 62,
            bits: 64,
            little_endian: true
        }
    );
    // Every byte changed alone: no panic, no loop.
    for at in 0..program.len() {
        let mut bytes = program.clone();
        bytes[at] ^= 0xff;
        let _ = Program::read(&bytes);
        let _ = elf::sections(&bytes);
    }
}
