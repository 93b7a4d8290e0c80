console.log("node", require("./package.json").version);
