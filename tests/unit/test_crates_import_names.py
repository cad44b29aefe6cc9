"""Import names of crates, from their manifests and sources."""

import pytest

from ssc_ingest.ecosystems.crates.import_names import names_of_crate
from tests.unit.crate_files import crate, exported

# The library ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("manifest", "files", "expected"),
    [
        ("", {"src/lib.rs": ""}, {"demo_x"}),
        ('[lib]\nname = "other"', {"src/lib.rs": ""}, {"other"}),
        ('[lib]\npath = "src/core.rs"', {"src/core.rs": "pub struct A;"}, {"demo_x", "demo_x::A"}),
        ('[lib]\npath = "./lib.rs"', {"lib.rs": "pub fn f() {}"}, {"demo_x", "demo_x::f"}),
        ("[lib]", {"src/demo_x.rs": "pub fn f() {}"}, {"demo_x", "demo_x::f"}),
        ("[lib]", {}, {"demo_x"}),
        ("", {"src/main.rs": "pub fn main() {}"}, set()),
        ('[[bin]]\nname = "demo"\npath = "a.rs"', {"a.rs": ""}, set()),
        ('[lib]\ncrate-type = ["cdylib"]', {"src/lib.rs": "pub fn f() {}"}, set()),
        ('[lib]\ncrate_type = ["cdylib", "rlib"]', {"src/lib.rs": ""}, {"demo_x"}),
        ("[lib]\nproc-macro = true", {"src/lib.rs": "pub fn f() {}"}, {"demo_x"}),
        ("[lib]\nname = 5", {"src/lib.rs": ""}, {"demo_x"}),
    ],
)
async def test_the_library(manifest: str, files: dict[str, str], expected: set[str]) -> None:
    """The library's name is the crate's, unless the manifest has another.

    Only some libraries count.
    """
    package = '[package]\nname = "demo-x"\nversion = "1.0.0"\n'
    made = crate({"Cargo.toml": package + manifest, **files}, "demo-x-1.0.0")
    assert await names_of_crate(made, "demo-x", "1.0.0") == expected


async def test_sources_of_other_targets_are_not_read() -> None:
    """Tests, benchmarks and examples are no part of the library."""
    files = {
        "src/lib.rs": "pub struct A;",
        "src/main.rs": "pub struct B;",
        "tests/a.rs": "pub struct C;",
        "src/unused.rs": "pub struct D;",
    }
    assert await names_of_crate(crate(files), "demo", "1.0.0") == {"demo", "demo::A"}


# Items ----------------------------------------------------------------------------------


def test_kinds_of_items() -> None:
    """All public items have names, with their modules; inner names of items have none."""
    assert exported(
        lib="""
        pub struct A { pub x: i32 }
        pub enum B { X, Y(u8) }
        pub union C { a: u8 }
        pub trait D { fn m(&self); const N: u8; }
        pub unsafe trait E {}
        pub fn f() { pub struct Inner; }
        pub const unsafe fn g() {}
        pub async fn h() {}
        pub extern "C" fn i() {}
        pub const J: u8 = 1;
        pub static K: u8 = 1;
        pub static mut L: u8 = 1;
        pub type M = u8;
        pub mod n { pub struct O; struct P; pub mod q { pub fn r() {} } }
        pub macro s($x:expr) { $x }
        extern "C" { pub fn t(); pub static U: u8; pub type V; fn w(); }
        impl A { pub fn method(&self) {} }
        pub const _: () = ();
        struct Private; fn private() {} mod inner { pub struct X; }
        """
    ) == set("ABCDEJKLMUV") | set("fghistn") | {"n::O", "n::q", "n::q::r"}


def test_visibility() -> None:
    """Only ``pub`` without a restriction is public."""
    assert exported(
        lib="""
        pub(crate) struct A; pub(super) struct B; pub(self) struct C;
        pub(in crate::m) struct D; crate struct E; pub (crate) fn f() {}
        pub mod m { pub(in super) fn x() {} pub fn y() {} }
        """
    ) == {"m", "m::y"}


def test_raw_names() -> None:
    """``r#`` is no part of a name."""
    assert exported(
        lib="pub fn r#type() {} pub mod r#mod { pub struct r#A; } pub use self::r#mod::A as r#as;"
    ) == {"type", "mod", "mod::A", "as"}


def test_conditions() -> None:
    """Items under a condition count, unless no dependent crate ever sees them."""
    assert exported(
        lib="""
        #[cfg(feature = "a")] pub struct A;
        #[cfg(not(feature = "a"))] pub struct B;
        #[cfg(windows)] pub mod c { pub struct X; }
        #[cfg(unix)] pub mod c { pub struct Y; }
        #[cfg(test)] pub struct D;
        #[cfg(all(test, feature = "x"))] pub mod e { pub struct X; }
        #[cfg(any(test, feature = "x"))] pub struct F;
        #[cfg(not(test))] pub struct G;
        #[cfg(not(any(test, docsrs)))] pub struct H;
        #[cfg(docsrs)] pub struct I;
        #[cfg(any(test, doc))] pub struct J;
        #[cfg(any())] pub struct K;
        #[cfg(all())] pub struct L;
        #[cfg_attr(docsrs, doc(cfg(feature = "m")))] #[derive(Debug)] /** x */ pub struct M;
        #[cfg(target_os = "test")] pub struct N;
        """,
    ) == set("ABFGHLMNc") | {"c::X", "c::Y"}


def test_a_file_under_a_condition() -> None:
    """An inner attribute excludes the whole file."""
    assert exported(lib="pub mod a; pub mod b;", a="#![cfg(test)] pub struct A;", b="") == {
        "a",
        "b",
    }


def test_hidden_items() -> None:
    """Hidden items are no part of the public interface.

    Items that are re-exported out of them are part of it.
    """
    assert exported(
        lib="""
        #[doc(hidden)] pub struct A;
        #[doc(hidden)] pub mod export { pub struct B; pub struct C; }
        pub use export::B;
        #[doc(hidden)] pub use export::C;
        #[doc(hidden)] #[macro_export] macro_rules! m { () => {} }
        #[doc(alias = "hidden")] pub struct D;
        """
    ) == {"B", "D"}


def test_exported_macros() -> None:
    """Exported macros are at the root, wherever they are defined; others are not importable."""
    assert exported(
        lib="mod a; macro_rules! private { () => {} } #[macro_export] macro_rules! x { () => {} }",
        a="""
        #[macro_export(local_inner_macros)] macro_rules! y { ($a:expr) => { $a } }
        #[cfg_attr(feature = "z", macro_export)] macro_rules! z { () => {} }
        macro_rules! w { () => {} } pub(crate) use w;
        """,
    ) == {"x", "y", "z"}


def test_procedural_macros() -> None:
    """A crate for procedural macros exports only its macros."""
    assert exported(
        procedural=True,
        lib="""
        #[proc_macro] pub fn a(x: TokenStream) -> TokenStream { x }
        #[proc_macro_attribute] pub fn b(x: TokenStream, y: TokenStream) -> TokenStream { x }
        #[proc_macro_derive(C, attributes(c))] pub fn derive_c(x: TokenStream) -> TokenStream { x }
        pub struct D; fn e() {}
        """,
    ) == {"a", "b", "C"}


# Modules --------------------------------------------------------------------------------


def test_files_of_modules() -> None:
    """Both places of a module's file are read, and modules inside of files."""
    assert exported(
        lib="pub mod a; pub mod b; mod c; pub mod inline { pub mod e; }",
        a="pub mod x; pub struct A;",
        a__x="pub struct X;",
        b__mod="pub mod y;",
        b__y="pub struct Y;",
        c="pub struct C;",
        inline__e="pub struct E;",
        e="pub struct Wrong;",
    ) == {"a", "a::A", "a::x", "a::x::X", "b", "b::y", "b::y::Y", "inline", "inline::e"} | {
        "inline::e::E"
    }


def test_paths_of_modules() -> None:
    """``#[path]`` is relative to the file, or to the folder of a module inside of a file."""
    assert exported(
        lib="""
        #[path = "other/a.rs"] pub mod a;
        #[cfg_attr(windows, path = "w.rs")] #[cfg_attr(not(windows), path = "u.rs")] pub mod b;
        pub mod c { #[path = "../d.rs"] pub mod d; }
        #[path = "../../../etc/passwd"] pub mod e;
        """,
        other__a="pub mod near; pub struct A;",
        other__near="pub struct N;",
        w="pub struct W;",
        u="pub struct U;",
        d="pub struct D;",
    ) == {"a", "a::A", "a::near", "a::near::N", "b", "b::W", "b::U", "c", "c::d", "c::d::D", "e"}


def test_included_files() -> None:
    """``include!`` of a file of the crate; those of build scripts are not there."""
    assert exported(
        lib='pub mod a { include!("gen_in.rs"); } include!(concat!(env!("OUT_DIR"), "/x.rs"));',
        gen_in="pub struct A;",
    ) == {"a", "a::A"}


def test_files_that_include_each_other() -> None:
    """No file is read inside of itself."""
    assert exported(lib='#[path = "lib.rs"] pub mod again; pub struct A; include!("lib.rs");') == {
        "A",
        "again",
    }


# Re-exports -----------------------------------------------------------------------------


def test_re_exports() -> None:
    """Items are re-exported by name, in groups, renamed, by glob, and with whole modules."""
    assert exported(
        lib="""
        mod a; mod b; mod c { pub mod d { pub struct D; } pub struct E; }
        pub use a::{A, inner::{self, B as C}};
        pub use self::b::*;
        pub use crate::c::d as renamed;
        pub use c::E as _;
        use a::Private;
        pub(crate) use a::Private as P;
        """,
        a="pub struct A; pub mod inner { pub struct B; } pub struct Private;",
        b="pub struct F; struct G; pub use self::deep::*; mod deep { pub fn h() {} }",
    ) == {"A", "inner", "inner::B", "C", "F", "h", "renamed", "renamed::D"}


def test_private_items_are_not_re_exported() -> None:
    """Of a function and its private module with the same name, only the function is public."""
    assert exported(
        lib="pub mod io { mod util; pub use util::{copy, Copy}; }",
        io__util="mod copy; pub use copy::{copy, Copy};",
        io__util__copy="pub fn copy() {} pub struct Copy; pub struct Buffer;",
    ) == {"io", "io::copy", "io::Copy"}


def test_re_exports_of_variants() -> None:
    """Variants of an enum are names of a module only if it imports them publicly."""
    assert exported(
        lib="pub enum A { X, Y } pub use A::*; enum B { Z, W } pub use self::B::Z as V;"
    ) == {"A", "X", "Y", "V"}


def test_re_exports_of_other_crates() -> None:
    """Each is one name; the contents of other crates are unknown."""
    assert exported(
        lib="""
        pub use bytes::{Bytes, buf as buffers}; pub use ::http; pub use std::io::*;
        pub extern crate alloc; pub extern crate core as base; extern crate libc;
        pub use other::*;
        """
    ) == {"Bytes", "buffers", "http", "alloc", "base"}


def test_paths_through_imports_and_the_crate_itself() -> None:
    """Names are found through private imports, globs of globs, and the crate's own name."""
    assert exported(
        lib="""
        extern crate self as demo;
        mod imp { pub mod unix { pub struct S; pub mod net { pub struct T; } } }
        use imp::unix as sys;
        pub use sys::S;
        pub use demo::imp::unix::net::T;
        mod x { pub use super::imp::*; }
        pub use x::*;
        """
    ) == {"S", "T", "unix", "unix::S", "unix::net", "unix::net::T"}


def test_a_name_that_platforms_import_from_different_modules() -> None:
    """An import of one platform does not hide what a glob of another one brings."""
    assert exported(
        lib="""
        mod bionic { pub mod linux { pub mod types { pub struct A; } } }
        mod uapi { pub mod linux { pub mod can { pub const FRAME: u8 = 1; } } }
        #[cfg(not(target_os = "android"))]
        pub(crate) use uapi::*;
        #[cfg(target_os = "android")]
        use bionic::linux;
        #[cfg(target_os = "android")]
        pub use linux::types::*;
        #[cfg(not(target_os = "android"))]
        pub use linux::can::*;
        """
    ) == {"A", "FRAME"}


def test_the_first_edition() -> None:
    """Paths of imports begin at the root."""
    lib = "mod a; pub mod b;"
    b = "pub use a::A; pub use ::a::A as B;"
    assert exported(edition="2015", lib=lib, a="pub struct A;", b=b) == {"b", "b::A", "b::B"}


def test_circular_re_exports() -> None:
    """Following circular re-exports ends."""
    found = exported(
        lib="""
        pub mod a { pub use super::*; pub use super::b::*; pub struct A; }
        pub mod b { pub use super::a::*; pub use crate as root; pub struct B; pub use self::c::C; }
        pub use x::y; use y::x;
        """
    )
    assert {"a", "a::A", "a::B", "b", "b::B", "b::A", "b::root", "b::C"} <= found


# Macros ---------------------------------------------------------------------------------


def test_items_in_the_input_of_macros() -> None:
    """Items in a macro's input count; items that a macro generates are unknown."""
    assert exported(
        lib="""
        cfg_rt! { pub mod a; #[cfg(test)] pub mod no; }
        cfg_if::cfg_if! {
            if #[cfg(unix)] { pub struct B; mod c; pub use c::C; }
            else if #[cfg(windows)] { nested! { pub struct D; } }
            else { pub fn e() {} }
        }
        s! { pub struct F { pub x: u8 } }
        lazy_static! { pub static ref G: u8 = 1; }
        make_types!(H, I, J);
        bitflags! { pub struct K: u32 { const A = 1; } }
        macro_rules! constant { () => { pub struct L; constant!(); constant!(); }; ($x:expr) => {} }
        constant!();
        fn f() { local! { pub struct No; } }
        """,
        a="pub struct A;",
        c="pub struct C;",
    ) == {"a", "a::A", "B", "C", "D", "e", "F", "G", "K", "L"}


def test_macros_that_a_macro_exports() -> None:
    """A macro that puts ``macro_export`` before its input exports the macros in it (as tokio's)."""
    assert exported(
        lib="""
        macro_rules! doc { ($it:item) => {
            /// Documentation of $it
            #[macro_export] #[cfg_attr(docsrs, doc(cfg(feature = "macros")))]
            $it
        }; }
        macro_rules! each { (all) => {}; ($($it:item)*) => { $( #[macro_export] $it )* }; }
        macro_rules! plain { ($it:item) => { #[macro_export] macro_rules! z { () => {} } $it } }
        macro_rules! no_item { ($it:expr) => { #[macro_export] $it } }
        #[cfg(doc)] doc! {macro_rules! shown { () => {} }}
        #[cfg(not(doc))] doc! {macro_rules! join { () => {} }}
        each! { macro_rules! a { () => {} } macro_rules! b { () => {} }
                mod inner { macro_rules! no1 { () => {} } } }
        doc! { #[doc(hidden)] macro_rules! no2 { () => {} } }
        plain! { macro_rules! no3 { () => {} } }
        no_item! { macro_rules! no4 { () => {} } }
        """
    ) == {"join", "a", "b"}


def test_types_between_what_is_no_rust() -> None:
    """Some macros take types with words of their own between them; attributes may hide them."""
    assert exported(
        lib="""
        pub mod token {
            keywords! { "as" pub struct As "async" pub struct Async "r#in" pub struct r#In }
            traits! { "a" pub trait T => pub enum E / 2 }
            hidden! { "b" #[doc(hidden)] pub struct No1 "c" pub(crate) struct No2 "d" struct No3 }
            inner! { "e" { pub struct No4 } fn x(pub struct No5) }
            #[cfg(test)] keywords! { "f" pub struct No6 }
        }
        """
    ) == {"token", *(f"token::{name}" for name in ("As", "Async", "In", "T", "E"))}
