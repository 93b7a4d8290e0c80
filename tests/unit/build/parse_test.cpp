#include <gtest/gtest.h>

#include "dockerfile/checks.h"
#include "dockerfile/dockerfile.h"

namespace gantry::build {
namespace {

Dockerfile parse(std::string_view text) { return parse_dockerfile(text, "Dockerfile"); }

std::vector<std::string> texts(const std::vector<Word>& words) {
  std::vector<std::string> out;
  for (const auto& word : words) out.push_back(word.text);
  return out;
}

using Words = std::vector<std::string>;

TEST(Parse, StagesAndGlobals) {
  auto file =
      parse("ARG V=1\nfrom debian:$V as Build\nRUN x\nFROM --platform=linux/amd64 build\nCOPY --from=build /a /b\n");
  ASSERT_EQ(file.stages.size(), 2u);
  EXPECT_EQ(file.globals.size(), 1u);
  EXPECT_EQ(file.stages[0].base.text, "debian:$V");
  EXPECT_EQ(file.stages[0].name, "build");
  EXPECT_EQ(file.stages[1].platform->text, "linux/amd64");
  EXPECT_EQ(file.stages[1].instructions[0].flag("from")->value.text, "build");
  EXPECT_EQ(file.find_stage("BUILD"), 0u);
  EXPECT_EQ(file.find_stage("1"), 1u);
  EXPECT_EQ(file.find_stage("2"), std::nullopt);
}

TEST(Parse, ContinuationsCommentsAndBlanks) {
  auto file = parse("# a comment\n\n  FROM x\nRUN a \\\n  # inside\n\n  && b \\ \n  && c\nRUN d \\\\\nRUN e");
  const auto& in = file.stages[0].instructions;
  ASSERT_EQ(in.size(), 3u);
  EXPECT_EQ(in[0].rest.text, "a   && b   && c");
  EXPECT_EQ(in[0].place.line, 4);
  EXPECT_EQ(in[1].rest.text, "d \\\\");
  EXPECT_EQ(in[2].place.line, 10);
}

TEST(Parse, Directives) {
  auto file = parse("# syntax=docker/dockerfile:1\n# escape=`\nFROM x\nRUN a `\n b\nCOPY a c:\\\\\n");
  EXPECT_EQ(file.escape, '`');
  EXPECT_EQ(file.notes.size(), 1u);
  EXPECT_EQ(file.stages[0].instructions[0].rest.text, "a  b");
  EXPECT_EQ(parse("\n# escape=`\nFROM x").escape, '\\');
  EXPECT_EQ(parse("# about x\n# escape=`\nFROM x").escape, '\\');
}

TEST(Parse, WindowsLineEnds) {
  auto file = parse("FROM x\r\nRUN a \\\r\n b\r\nENV A=b\r\n");
  EXPECT_EQ(file.stages[0].instructions[0].rest.text, "a  b");
  EXPECT_EQ(file.stages[0].instructions[1].pairs[0].value->text, "b");
}

TEST(Parse, JsonAndShellForms) {
  auto file = parse(
      "FROM x\nRUN [\"a\", \"b c\"]\nRUN ['a']\nCMD [\"x\"]\nCOPY [\"a b\", \"c\"]\nCMD []\nSHELL "
      "[\"/bin/sh\",\"-c\"]");
  const auto& in = file.stages[0].instructions;
  EXPECT_TRUE(in[0].json);
  EXPECT_EQ(texts(in[0].words), (Words{"a", "b c"}));
  EXPECT_FALSE(in[1].json);
  EXPECT_EQ(texts(in[3].words), (Words{"a b", "c"}));
  EXPECT_TRUE(in[4].json);
  EXPECT_TRUE(in[4].words.empty());
}

TEST(Parse, PairsInBothForms) {
  auto file =
      parse("FROM x\nENV A=1 B=\"two words\" C='x y' D=a\\ b\nENV OLD some  text = here\nLABEL \"a.b\"=c\nARG P Q=1\n");
  const auto& in = file.stages[0].instructions;
  ASSERT_EQ(in[0].pairs.size(), 4u);
  EXPECT_EQ(in[0].pairs[1].value->text, "\"two words\"");
  EXPECT_EQ(in[0].pairs[3].value->text, "a\\ b");
  EXPECT_EQ(in[1].pairs[0].key.text, "OLD");
  EXPECT_EQ(in[1].pairs[0].value->text, "some  text = here");
  EXPECT_FALSE(in[3].pairs[0].value);
  EXPECT_EQ(in[3].pairs[1].value->text, "1");
}

TEST(Parse, Heredocs) {
  auto file = parse(
      "FROM x\nRUN <<EOF\necho $a\n# not a comment\nEOF\n"
      "COPY <<-\"one\" <<two /d/\n\t\tx$y\n\tone\nz\ntwo\nRUN cat <<E > /f && echo\nb\nE\nRUN after");
  const auto& in = file.stages[0].instructions;
  ASSERT_EQ(in.size(), 4u);
  EXPECT_EQ(in[0].heredocs[0].content, "echo $a\n# not a comment\n");
  ASSERT_EQ(in[1].heredocs.size(), 2u);
  EXPECT_EQ(in[1].heredocs[0].content, "x$y\n");
  EXPECT_FALSE(in[1].heredocs[0].expand);
  EXPECT_EQ(in[1].heredocs[0].verbatim, "\t\tx$y\n\tone\n");
  EXPECT_EQ(in[1].heredocs[1].content, "z\n");
  EXPECT_TRUE(in[1].heredocs[1].expand);
  EXPECT_EQ(in[2].heredoc_text, "b\nE\n");
  EXPECT_EQ(in[3].place.line, 14);
}

TEST(Parse, FlagsEndAtTheFirstWord) {
  auto file = parse(
      "FROM x\nCOPY --chown=a:b --chmod=0755 --link a b\nCMD --version\nHEALTHCHECK --interval=5s --retries=3 CMD curl "
      "--fail x\n");
  const auto& in = file.stages[0].instructions;
  EXPECT_EQ(in[0].flags.size(), 3u);
  EXPECT_EQ(in[0].flag("chown")->value.text, "a:b");
  EXPECT_EQ(in[1].rest.text, "--version");
  EXPECT_EQ(in[2].flags.size(), 2u);
  EXPECT_EQ(in[2].rest.text, "CMD curl --fail x");
}

struct Bad {
  const char* text;
  int line;
  int column;
  const char* part;
};

TEST(Parse, NamesThePlaceOfEveryMistake) {
  const Bad table[] = {
      {"", 1, 1, "no instruction"},
      {"# only a comment\n", 1, 1, "no instruction"},
      {"ARG A\n", 1, 1, "no FROM"},
      {"RUN x\nFROM y\n", 1, 1, "before the first FROM"},
      {"FORM x\n", 1, 1, "did you mean \"FROM\"?"},
      {"FROM x\n  RUNN y\n", 2, 3, "did you mean \"RUN\"?"},
      {"FROM x\nENTRYPIONT y\n", 2, 1, "did you mean \"ENTRYPOINT\"?"},
      {"FROM x\nXYZZY y\n", 2, 1, "unknown instruction \"XYZZY\""},
      {"FROM\n", 1, 1, "FROM needs an argument"},
      {"FROM x y\n", 1, 8, "IMAGE AS NAME"},
      {"FROM x AS\n", 1, 8, "IMAGE AS NAME"},
      {"FROM x AS a b\n", 1, 13, "no more arguments"},
      {"FROM x AS 1a\n", 1, 11, "stage name"},
      {"FROM x AS a\nFROM y AS A\n", 2, 11, "taken by the stage in line 1"},
      {"FROM x\nCOPY a\n", 2, 1, "COPY needs two arguments"},
      {"FROM x\nCOPY --form=y a b\n", 2, 6, "did you mean \"from\"?"},
      {"FROM x\nCOPY --from=1 a b\n", 2, 13, "no stage 1"},
      {"FROM x AS a\nCOPY --from=a b c\n", 2, 13, "stage it stands in"},
      {"FROM x\nCOPY --from=b a c\nFROM y AS b\n", 2, 13, "comes later"},
      {"FROM x\nCOPY --chmod=u+q a b\n", 2, 14, "octal"},
      {"FROM x\nCOPY --chown a b\n", 2, 6, "needs a value"},
      {"FROM x\nCOPY --from=$X a b\n", 2, 13, "no variables"},
      {"FROM x\nCOPY a b c\n", 2, 10, "must be a directory"},
      {"FROM x\nCOPY http://x/y /z\n", 2, 6, "not a URL"},
      {"FROM x\nADD file:///x/y.git /z\n", 2, 5, "files of the context"},
      {"FROM x\nRUN --mount=type=cash,target=/x y\n", 2, 5, "did you mean \"cache\""},
      {"FROM x\nRUN --mount=type=secret y\n", 2, 5, "a secret needs an id"},
      {"FROM x\nRUN --mount=type=secret,id=a,env=1x y\n", 2, 5, "no name of a variable"},
      {"FROM x\nRUN --security=insecure y\n", 2, 5, "isolated like any container"},
      {"FROM x\nRUN\n", 2, 1, "RUN needs an argument"},
      {"FROM x\nENV A\n", 2, 5, "has no value"},
      {"FROM x\nENV A=1 B\n", 2, 9, "has no \"=\""},
      {"FROM x\nENV =1\n", 2, 5, "no name"},
      {"FROM x\nENV A=\"x\n", 2, 7, "closing \""},
      {"FROM x\nENV A=${x\n", 2, 7, "bad substitution"},
      {"FROM x\nRUN a \\\n  b\nLABEL x=1 \\\n   y\n", 5, 4, "has no \"=\""},
      {"FROM x\nEXPOSE 80 99999\n", 2, 11, "not a port"},
      {"FROM x\nSTOPSIGNAL SIGFOO\n", 2, 12, "not a signal"},
      {"FROM x\nSHELL /bin/sh\n", 2, 7, "JSON array"},
      {"FROM x\nHEALTHCHECK curl x\n", 2, 13, "CMD or NONE"},
      {"FROM x\nHEALTHCHECK --interval=5 CMD x\n", 2, 13, "duration"},
      {"FROM x\nHEALTHCHECK --retries=x CMD x\n", 2, 13, "number"},
      {"FROM x\nHEALTHCHECK CMD\n", 2, 13, "needs a command"},
      {"FROM x\nONBUILD FROM y\n", 2, 9, "not allowed"},
      {"FROM x\nONBUILD RNU y\n", 2, 9, "did you mean \"RUN\"?"},
      {"FROM x\nRUN <<EOF\nabc\n", 2, 5, "not ended"},
      {"# escape=x\nFROM x\n", 1, 10, "must be \\ or `"},
      {"# escape=`\n# escape=`\nFROM x\n", 2, 10, "given twice"},
      {"FROM x\nCOPY --chown=a --chown=b c d\n", 2, 16, "given twice"},
  };
  for (const auto& row : table) {
    try {
      parse(row.text);
      ADD_FAILURE() << "accepted: " << row.text;
    } catch (const Error& error) {
      ASSERT_FALSE(error.findings().empty()) << row.text;
      const auto& found = error.findings().front();
      EXPECT_EQ(error.findings().size(), 1u) << row.text;
      EXPECT_EQ(found.place.line, row.line) << row.text << found.message;
      EXPECT_EQ(found.place.column, row.column) << row.text << found.message;
      EXPECT_NE(found.message.find(row.part), std::string::npos) << row.text << found.message;
    }
  }
}

TEST(Parse, ReportsAllMistakesInOrder) {
  try {
    parse("FROM x\nRNU a\nCOPY b\nEXPOSE z\nFROM y AS 9\n");
    FAIL();
  } catch (const Error& error) {
    ASSERT_EQ(error.findings().size(), 4u);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(error.findings()[static_cast<std::size_t>(i)].place.line, i + 2);
  }
}

TEST(Parse, EveryInstructionIsAccepted) {
  EXPECT_NO_THROW(parse(
      "ARG A=1\nFROM scratch AS a\nARG B\nENV C=1\nLABEL d=e\nRUN f\nCOPY g h\nADD i j\nWORKDIR /k l\nUSER m:n\nEXPOSE "
      "80 81/udp $P\n"
      "VOLUME /o [\nVOLUME [\"/p\"]\nCMD q\nENTRYPOINT [\"r\"]\nHEALTHCHECK NONE\nSTOPSIGNAL SIGRTMIN+3\nSHELL "
      "[\"s\"]\n"
      "ONBUILD COPY . /t\nMAINTAINER u v\nFROM a\nCOPY --from=0 --link=true w x\nCOPY --from=other/image:tag y z\n"));
}

TEST(ParsePorts, Table) {
  EXPECT_EQ(parse_ports("80"), (Words{"80/tcp"}));
  EXPECT_EQ(parse_ports("80-82/UDP"), (Words{"80/udp", "81/udp", "82/udp"}));
  for (const char* bad : {"", "0", "x", "80/foo", "82-80", "65536", "80/", "-1", "1-"})
    EXPECT_FALSE(parse_ports(bad)) << bad;
}

}  // namespace
}  // namespace gantry::build
