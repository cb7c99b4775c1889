DROP INDEX "appointments_archived_by_idx";--> statement-breakpoint
CREATE INDEX "appointments_day_idx" ON "appointments" USING btree ("date","id") WHERE archived_at is null;--> statement-breakpoint
CREATE INDEX "appointments_archived_by_idx" ON "appointments" USING btree ("archived_by") WHERE archived_by is not null;