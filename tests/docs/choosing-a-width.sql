\ir packages.sql
