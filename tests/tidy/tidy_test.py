#!/usr/bin/env python3
"""Each check of tidy.py finds what it is for, and nothing in a clean tree."""

import pathlib
import tempfile
import unittest

import tidy

LONG = "int f() {\n" + "  g();\n" * 70 + "}\n"


class TidyTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = pathlib.Path(self.folder.name)

    def put(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if path.suffix == ".cpp":
            (path.parent / "CMakeLists.txt").write_text(f"add_library(x {path.name})\n")
        for room in [path.parent, *path.parent.parents]:
            if room != self.root and self.root in room.parents:
                (room / "README.md").write_text("# room\n")

    def found(self):
        return [f"{name}:{number}: {what}" for name, number, what in tidy.problems(self.root)]

    def assertFinds(self, start):
        found = self.found()
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(start), found)

    def test_a_clean_tree_is_silent(self):
        self.put("daemon/app.cpp", '#include "connectors/sink.hpp"\nint f() {\n  return 1;\n}\n')
        self.assertEqual(self.found(), [])

    def test_an_arrow_that_points_back(self):
        self.put("schemas/crm/a.cpp", '\n#include "config/node.hpp"\n')
        self.assertFinds("schemas/crm/a.cpp:2: schemas includes config/node.hpp")

    def test_core_knows_nobody(self):
        self.put("schemas/core/a.hpp", '#include "schemas/model/entry.hpp"\n')
        self.assertFinds("schemas/core/a.hpp:1: schemas/core includes")

    def test_a_connector_that_knows_another(self):
        self.put("connectors/redis/a.cpp", '#include "connectors/kafka/sink.hpp"\n#include "connectors/sink.hpp"\n')
        self.assertFinds("connectors/redis/a.cpp:1: connectors/redis includes")

    def test_a_library_outside_its_room(self):
        self.put("daemon/pipeline/a.cpp", "#include <hiredis/hiredis.h>\n")
        self.assertFinds("daemon/pipeline/a.cpp:1: hiredis/hiredis.h belongs to connectors/redis alone")

    def test_a_library_in_a_header(self):
        self.put("connectors/redis/a.hpp", "#include <hiredis/hiredis.h>\n")
        self.assertFinds("connectors/redis/a.hpp:1: hiredis/hiredis.h in a header")

    def test_an_include_in_a_comment_is_none(self):
        self.put("connectors/redis/a.hpp", "// #include <hiredis/hiredis.h>\n")
        self.assertEqual(self.found(), [])

    def test_a_file_that_nobody_builds(self):
        self.put("daemon/a.cpp", "")
        (self.root / "daemon/CMakeLists.txt").write_text("add_library(x aa.cpp b/a.cpp)\n")
        self.assertFinds("daemon/a.cpp:1: stands in no CMakeLists.txt")

    def test_a_function_that_is_too_long(self):
        self.put("daemon/a.cpp", "namespace n {\nclass A {\n};\n" + LONG + "}\n")
        self.assertFinds("daemon/a.cpp:4: f has 72 lines")

    def test_a_class_or_namespace_may_be_long(self):
        self.put("daemon/a.cpp", "namespace n {\nstruct A {\n" + "  int f() { return 1; }\n" * 100 + "};\n}\n")
        self.assertEqual(self.found(), [])

    def test_braces_in_text_do_not_count(self):
        self.put("daemon/a.cpp", 'int f() {\n  g("{", \'{\', R"({)");  // {\n}\n' + "int x;\n" * 80)
        self.assertEqual(self.found(), [])

    def test_a_listed_function_is_let_through(self):
        self.put("daemon/a.cpp", LONG)
        self.put("tests/tidy/long_functions.txt", "daemon/a.cpp:f\n")
        self.assertEqual(self.found(), [])

    def test_an_exception_nobody_needs(self):
        self.put("tests/tidy/long_functions.txt", "# comment\ndaemon/a.cpp:f\n")
        self.assertFinds("tests/tidy/long_functions.txt:1: daemon/a.cpp:f is no longer needed")

    def test_unfinished_work(self):
        self.put("config/a.yaml", "a: 1\n# TO" "DO b\n")
        self.assertFinds("config/a.yaml:2: TO" "DO")

    def test_sleeping(self):
        self.put("daemon/a.cpp", "int f() {\n  std::this_thread::sleep_for(x);\n}\n")
        self.assertFinds("daemon/a.cpp:2: sleep_for")

    def test_a_pipe_into_a_reader_that_leaves_early(self):
        self.put("tests/e2e/a_test.sh", "told() {\n  ask | gr" "ep -Eq yes\n}\n")
        self.assertFinds("tests/e2e/a_test.sh:2: | gr" "ep -Eq")

    def test_a_path_of_one_machine(self):
        self.put("config/a.md", "see /ho" "me/me/x\n")
        self.assertFinds("config/a.md:1: /ho" "me/m")

    def test_a_room_without_a_readme(self):
        self.put("connectors/redis/a.hpp", "")
        (self.root / "connectors/redis/README.md").unlink()
        self.assertFinds("connectors/redis/README.md:1: is missing")

    def test_metrics_and_their_page_differ(self):
        self.put("daemon/app.cpp", 'auto a = gauge("headwater_ups");\n')
        self.put("daemon/observe/a.cpp", "int a;\n")
        table = "(`headwater_` left out):\n\n| of | metrics |\n|---|---|\n| a sink | `downs` (`sink`) |\n"
        (self.root / "daemon/observe/README.md").write_text(table)
        found = self.found()
        self.assertEqual([what.split(": ")[1] for what in found],
                         ["headwater_downs is no metric", "headwater_ups is not listed"])


if __name__ == "__main__":
    unittest.main()
