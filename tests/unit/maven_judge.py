"""Maven's own library, for comparison of versions, ranges and effective models."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.missing import skip

PROGRAM = r"""
import java.io.*;
import java.util.*;
import org.apache.maven.artifact.versioning.ComparableVersion;
import org.apache.maven.artifact.versioning.DefaultArtifactVersion;
import org.apache.maven.artifact.versioning.VersionRange;
import org.apache.maven.model.*;
import org.apache.maven.model.building.*;
import org.apache.maven.model.resolution.*;
import org.eclipse.aether.util.version.GenericVersionScheme;
import org.eclipse.aether.version.*;

public class Judge {
  static class Folder implements ModelResolver {
    final File root;
    Folder(File root) { this.root = root; }
    public ModelSource2 resolveModel(String group, String artifact, String version)
        throws UnresolvableModelException {
      String folder = group.replace('.', '/') + "/" + artifact + "/" + version;
      File found = new File(root, folder + "/" + artifact + "-" + version + ".pom");
      if (!found.exists())
        throw new UnresolvableModelException("missing", group, artifact, version);
      return new FileModelSource(found);
    }
    public ModelSource2 resolveModel(Parent it) throws UnresolvableModelException {
      it.setVersion(newest(it.getGroupId(), it.getArtifactId(), it.getVersion()));
      return resolveModel(it.getGroupId(), it.getArtifactId(), it.getVersion());
    }
    public ModelSource2 resolveModel(Dependency it) throws UnresolvableModelException {
      it.setVersion(newest(it.getGroupId(), it.getArtifactId(), it.getVersion()));
      return resolveModel(it.getGroupId(), it.getArtifactId(), it.getVersion());
    }
    // As DefaultModelResolver, which needs a whole repository system.
    String newest(String group, String artifact, String text) throws UnresolvableModelException {
      try {
        GenericVersionScheme scheme = new GenericVersionScheme();
        VersionConstraint asked = scheme.parseVersionConstraint(text);
        if (asked.getRange() == null) return text;
        Version highest = null;
        String[] listed = new File(root, group.replace('.', '/') + "/" + artifact).list();
        for (String name : listed == null ? new String[0] : listed) {
          Version version = scheme.parseVersion(name);
          if (new File(root, group.replace('.', '/') + "/" + artifact + "/" + name).isDirectory()
              && asked.containsVersion(version)
              && (highest == null || version.compareTo(highest) > 0)) highest = version;
        }
        if (highest == null || asked.getRange().getUpperBound() == null)
          throw new UnresolvableModelException("no version", group, artifact, text);
        return highest.toString();
      } catch (InvalidVersionSpecificationException refused) {
        throw new UnresolvableModelException(refused.getMessage(), group, artifact, text);
      }
    }
    public void addRepository(Repository repository) {}
    public void addRepository(Repository repository, boolean replace) {}
    public ModelResolver newCopy() { return this; }
  }

  static String model(String root, String group, String artifact, String version, String java)
      throws Exception {
    Folder folder = new Folder(new File(root));
    DefaultModelBuildingRequest request = new DefaultModelBuildingRequest();
    request.setModelSource(folder.resolveModel(group, artifact, version));
    request.setModelResolver(folder);
    request.setValidationLevel(ModelBuildingRequest.VALIDATION_LEVEL_MINIMAL);
    request.setProcessPlugins(false).setTwoPhaseBuilding(false);
    Properties platform = new Properties();
    for (String name : new String[] {"os.name", "os.arch", "file.separator", "path.separator"})
      platform.setProperty(name, System.getProperty(name));
    platform.setProperty("java.version", java);
    platform.setProperty("java.specification.version", java.split("\\.")[0]);
    platform.setProperty("java.home", "/opt/java");
    request.setSystemProperties(platform);
    ModelBuildingResult result;
    try {
      result = new DefaultModelBuilderFactory().newInstance().build(request);
    } catch (ModelBuildingException incomplete) { // a version is missing, say
      result = incomplete.getResult();
      if (result == null || result.getEffectiveModel() == null) throw incomplete;
    }
    StringJoiner out = new StringJoiner("\t");
    for (Dependency it : result.getEffectiveModel().getDependencies())
      out.add(String.join("\b", given(it.getGroupId()), given(it.getArtifactId()),
          given(it.getVersion()), it.getType(), given(it.getClassifier()), given(it.getScope()),
          "" + it.isOptional(), excluded(it)));
    StringJoiner licenses = new StringJoiner("\b");
    for (License it : result.getEffectiveModel().getLicenses())
      licenses.add(given(it.getName() == null ? it.getUrl() : it.getName()));
    return out + "\t\f" + licenses.toString().replaceAll("[\\t\\r\\n ]+", " ");
  }

  static String excluded(Dependency dependency) {
    StringJoiner out = new StringJoiner(",");
    for (Exclusion it : dependency.getExclusions())
      out.add(given(it.getGroupId()) + ":" + given(it.getArtifactId()));
    return out.toString();
  }

  static String given(String text) { return text == null ? "" : text; }

  static String answer(String[] asked) throws Exception {
    switch (asked[0]) {
      case "compare":
        return "" + Integer.signum(
            new ComparableVersion(asked[1]).compareTo(new ComparableVersion(asked[2])));
      case "contains":
        VersionRange range = VersionRange.createFromVersionSpec(asked[1]);
        StringJoiner out = new StringJoiner("\t");
        for (int i = 2; i < asked.length; i++)
          if (range.containsVersion(new DefaultArtifactVersion(asked[i]))) out.add(asked[i]);
        return out.toString();
      default:
        return model(asked[1], asked[2], asked[3], asked[4], asked[5]);
    }
  }

  public static void main(String[] arguments) throws Exception {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
    PrintStream out = new PrintStream(System.out, true, "UTF-8");
    for (String line; (line = in.readLine()) != null; ) {
      String result;
      try {
        result = answer(line.split("\t", -1));
      } catch (Exception refused) {
        result = "refused: " + refused.getMessage().lines().findFirst().orElse("");
      }
      out.println(result);
    }
  }
}
"""

PLATFORM = ("-Dos.name=Linux", "-Dos.arch=amd64", "-Dos.version=6.1")
"""What profiles see of the machine, whichever it is."""


class Refused(Exception):
    """Maven rejects the input."""


class Dependency(NamedTuple):
    """A dependency of an effective model."""

    group: str
    artifact: str
    version: str
    type: str
    classifier: str
    scope: str
    optional: str
    exclusions: tuple[str, ...]


class Model(NamedTuple):
    """An effective model."""

    dependencies: list[Dependency]
    licenses: list[str]
    """The name of each, or else its address, with single blanks."""


class MavenJudge:
    """Sends inputs to a running Maven library, one line per input."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def _ask(self, *question: str) -> list[str]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("\t".join(question) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            pytest.fail("Maven's library ended; its message is above")
        if answer.startswith("refused: "):
            raise Refused(answer.strip())
        return [part for part in answer.rstrip("\n").split("\t") if part]

    def compare(self, left: str, right: str) -> int:
        """-1, 0 or 1 by ``ComparableVersion``."""
        return int(self._ask("compare", left, right)[0])

    def contained(self, requirement: str, versions: tuple[str, ...]) -> set[str]:
        """The versions that Maven's ``VersionRange`` contains."""
        return set(self._ask("contains", requirement, *versions))

    def dependencies(
        self, repository: Path, coordinates: tuple[str, str, str], java: str = "17.0.17"
    ) -> list[Dependency]:
        """The dependencies of the effective model of a POM in the folder, under a JDK."""
        return self.model(repository, coordinates, java).dependencies

    def model(
        self, repository: Path, coordinates: tuple[str, str, str], java: str = "17.0.17"
    ) -> Model:
        """The effective model of a POM in that folder, under that JDK."""
        *dependencies, licenses = self._ask("model", str(repository), *coordinates, java)
        parts = (dependency.split("\b") for dependency in dependencies)
        return Model(
            [
                Dependency._make((*texts, tuple(filter(None, last.split(",")))))
                for *texts, last in parts
            ],
            list(filter(None, licenses.removeprefix("\f").split("\b"))),
        )


@contextmanager
def maven_judge(folder: Path) -> Iterator[MavenJudge]:
    """Start Maven's library; skips if Maven is not installed, except in CI."""
    maven, java = shutil.which("mvn"), shutil.which("java")
    if not (maven and java):
        skip("mvn and java are needed to compare with Maven itself")
    about = subprocess.run([maven, "-v"], capture_output=True, text=True, check=True).stdout
    home = re.search(r"Maven home: (.+)", about)
    assert home, about
    source = folder / "Judge.java"
    source.write_text(PROGRAM)
    with subprocess.Popen(
        # The quick compiler alone: it is over before the thorough one has paid for itself.
        [java, "-XX:TieredStopAtLevel=1", *PLATFORM, "-cp", f"{home[1].strip()}/lib/*", source],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        yield MavenJudge(process)
        assert process.stdin
        process.stdin.close()
