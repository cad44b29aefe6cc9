"""What programs write to import the judged packages, and how the graph's readers search for it.

The readers put each import name into their pattern for the ecosystem. They escape it only for
Python and Ruby. A line that no name of the package finds is a false *not imported*: a reader
concludes that the program does not use the package.
"""

import re
from collections.abc import Iterable

from ssc_ingest.import_names.rules import select
from ssc_ingest.settings import Settings

PATTERNS = {
    "pypi": r"(from|import)\s+({escaped})\b",
    "npm": r"import\s+.*\s+from\s+['\"]{name}['\"]|require\(['\"]{name}['\"]\)",
    "maven": r"import\s+{name}",
    "crates": r"extern crate\s+{name};|use\s+{name}::",
    "rubygems": r"(require|require_relative|include|extend)\s+['\"]?({escaped})['\"]?\b",
    "nuget": r"using\s+{name};",
}

CLIENTS: dict[str, dict[str, tuple[str, str]]] = {
    "pypi": {
        "requests": ("import requests", "from requests.adapters import HTTPAdapter"),
        "numpy": ("import numpy as np", "from numpy.linalg import norm"),
        "google-auth": ("import google.auth", "from google.oauth2 import service_account"),
        "PyYAML": ("import yaml", "from yaml import safe_load"),
        "python-dateutil": ("from dateutil import parser", "import dateutil.parser as p"),
        "attrs": ("import attr", "from attrs import define, field"),
        "protobuf": ("from google.protobuf import message", "import google.protobuf.json_format"),
        "setuptools": ("from setuptools import setup", "import setuptools.command.build_py"),
        "Pillow": ("from PIL import Image", "import PIL.ImageOps"),
        "beautifulsoup4": ("from bs4 import BeautifulSoup", "import bs4 as b"),
        "google-cloud-storage": ("from google.cloud import storage", "import google.cloud.storage"),
    },
    "npm": {
        "express": ("const express = require('express');", 'import { Router } from "express";'),
        "lodash": (
            'const merge = require("lodash/merge");',
            "import debounce from 'lodash/debounce.js';",
        ),
        "@babel/core": (
            "const babel = require('@babel/core');",
            'import { transformSync } from "@babel/core";',
        ),
        "react": (
            "import React, { useState } from 'react';",
            "import { jsx } from 'react/jsx-runtime';",
        ),
        "typescript": ("import ts from 'typescript';", 'const ts = require("typescript");'),
        "rxjs": ("import { Observable } from 'rxjs';", "import { ajax } from 'rxjs/ajax';"),
        "uuid": ("const { v4 } = require('uuid');", 'import { v4 as uuid } from "uuid";'),
        "chalk": ("import chalk from 'chalk';", 'import chalk, { Chalk } from "chalk";'),
        "date-fns": (
            "import { format } from 'date-fns';",
            "const addDays = require('date-fns/addDays');",
        ),
        "@types/node": (
            "import fs from 'fs';",
            "const { readFile } = require('node:fs/promises');",
        ),
    },
    "maven": {
        "com.google.guava:guava": (
            "import com.google.common.collect.ImmutableList;",
            "import com.google.common.util.concurrent.*;",
        ),
        "org.apache.commons:commons-lang3": (
            "import org.apache.commons.lang3.StringUtils;",
            "import org.apache.commons.lang3.builder.ToStringBuilder;",
        ),
        "com.fasterxml.jackson.core:jackson-databind": (
            "import com.fasterxml.jackson.databind.ObjectMapper;",
            "import com.fasterxml.jackson.databind.annotation.JsonSerialize;",
        ),
        "org.slf4j:slf4j-api": ("import org.slf4j.Logger;", "import org.slf4j.event.Level;"),
        "org.junit.jupiter:junit-jupiter-api": (
            "import org.junit.jupiter.api.Test;",
            "import org.junit.jupiter.api.extension.ExtendWith;",
        ),
        "org.springframework:spring-core": (
            "import org.springframework.core.io.Resource;",
            "import org.springframework.util.StringUtils;",
        ),
        "org.apache.logging.log4j:log4j-core": (
            "import org.apache.logging.log4j.core.LoggerContext;",
            "import org.apache.logging.log4j.core.appender.ConsoleAppender;",
        ),
        "org.jetbrains.kotlin:kotlin-stdlib": (
            "import kotlin.Unit;",
            "import kotlin.jvm.functions.Function1;",
        ),
        "com.google.protobuf:protobuf-java": (
            "import com.google.protobuf.ByteString;",
            "import com.google.protobuf.compiler.PluginProtos.CodeGeneratorRequest;",
        ),
        "io.netty:netty-all": (
            "import io.netty.bootstrap.ServerBootstrap;",
            "import io.netty.channel.nio.NioEventLoopGroup;",
        ),
    },
    "crates": {
        "serde": ("use serde::{Deserialize, Serialize};", "use serde::de::{self, Visitor};"),
        "tokio": ("use tokio::sync::mpsc;", "    use tokio::io::AsyncReadExt as _;"),
        "rand": ("use rand::prelude::*;", "extern crate rand;"),
        "regex": ("use regex::Regex;", "use regex::bytes::RegexBuilder;"),
        "syn": ("use syn::{parse_macro_input, DeriveInput};", "pub use syn::spanned::Spanned;"),
        "clap": ("use clap::Parser;", "use clap::{Arg, ArgAction, Command};"),
        "anyhow": ("use anyhow::{bail, Context, Result};", "use anyhow::anyhow;"),
        "hyper": ("use hyper::body::Incoming;", "use hyper::server::conn::http1;"),
        "bitflags": ("use bitflags::bitflags;", "#[macro_use] extern crate bitflags;"),
        "libc": ("use libc::{c_char, c_int};", "extern crate libc;"),
        "md-5": ("use md5::{Digest, Md5};", "extern crate md5;"),
        "serde-json-core": (
            "use serde_json_core::from_slice;",
            "use serde_json_core::de::from_str;",
        ),
    },
    "rubygems": {
        "activesupport": (
            "require 'active_support/core_ext/object/blank'",
            "  extend ActiveSupport::Concern",
        ),
        "google-protobuf": (
            "require 'google/protobuf'",
            'require "google/protobuf/timestamp_pb"',
        ),
        "net-http-persistent": (
            "require 'net/http/persistent'",
            '  require "net/http/persistent"  # connections',
        ),
        "rails": ('require "rails"', "require 'rails/all'"),
        "archive-tar-minitar": ("require 'archive/tar/minitar'", "include Archive::Tar"),
        "blankslate": ("require 'blankslate'", 'require "blankslate"'),
        "business": ('require "business"', "require 'business/calendar'"),
        "m2r": ("require 'm2r'", 'require "m2r/request"'),
        "statesman": ("require 'statesman'", "  include Statesman::Machine"),
    },
    "nuget": {
        "Python.Runtime.dll": ("using Python.Runtime;", "using  Python.Runtime.Codecs;"),
        "ClrLoader.dll": ("using ClrLoader;", "namespace Host { using ClrLoader; }"),
        "netstandard.dll": ("using System.Collections.Generic;", "using System.Threading.Tasks;"),
    },
}
"""Two lines per package, from real programs and documentation."""


def stored(names: Iterable[str], fallback: str) -> tuple[str, ...]:
    """The names that the graph has of these: ordered and limited, or the fall-back name."""
    most: int = Settings.model_fields["import_names_max"].default
    return select(names, most).names or (fallback,)


def not_imported(ecosystem: str, package: str, names: Iterable[str]) -> list[str]:
    """The lines of the package's clients that a reader does not find with these names."""
    names = tuple(names)
    lines = CLIENTS[ecosystem].get(package, ())
    return [line for line in lines if not is_imported(ecosystem, line, names)]


def is_imported(ecosystem: str, code: str, names: Iterable[str]) -> bool:
    """Whether a reader finds one of the names in the code."""
    pattern = PATTERNS[ecosystem]
    return any(
        re.search(pattern.format(name=name, escaped=re.escape(name)), code) for name in names
    )
