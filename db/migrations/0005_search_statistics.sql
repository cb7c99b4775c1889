-- By default the planner judges from a hundred values how many match a search, which is off by half as much again either
-- way: enough for it to read all patients for a search that a hundredth of them match.
ALTER TABLE patients ALTER COLUMN phone_digits SET STATISTICS 1000;
--> statement-breakpoint
ALTER INDEX users_names_trgm ALTER COLUMN 1 SET STATISTICS 1000;
--> statement-breakpoint
ANALYZE patients;
--> statement-breakpoint
ANALYZE users;
