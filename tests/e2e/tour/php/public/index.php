<?php
echo "php ", ini_get("memory_limit"), "\n";
